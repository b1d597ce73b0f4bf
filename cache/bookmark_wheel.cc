#include "cache/bookmark_wheel.h"

#include <algorithm>

#include "cache/watcher.h"

namespace weir {

BookmarkWheel::BookmarkWheel(Duration longest)
    : count_(static_cast<size_t>(std::max<int64_t>(longest / kSlot, 1)) + 2),
      slots_(std::make_unique<WheelList[]>(count_)) {}

int64_t BookmarkWheel::TickOf(TimePoint time) { return time.time_since_epoch() / kSlot; }

void BookmarkWheel::Schedule(CachedWatcher& watcher, TimePoint due, TimePoint now) {
  const int64_t now_tick = TickOf(now);
  Advance(now_tick);
  const int64_t last = done_ + static_cast<int64_t>(count_) - 1;
  const int64_t first = std::min(std::max(done_, now_tick) + 1, last);
  Slot(std::clamp(TickOf(due), first, last)).PushBack(watcher);
}

std::optional<TimePoint> BookmarkWheel::NextDue() {
  for (int64_t tick = done_ + 1; tick < done_ + static_cast<int64_t>(count_); ++tick) {
    if (!Slot(tick).empty()) return TimePoint(tick * kSlot);
  }
  return std::nullopt;
}

void BookmarkWheel::TakeDue(TimePoint now, WheelList& due) {
  const int64_t now_tick = TickOf(now);
  const int64_t last = std::min(now_tick, done_ + static_cast<int64_t>(count_) - 1);
  for (int64_t tick = done_ + 1; tick <= last; ++tick) due.TakeAll(Slot(tick));
  done_ = std::max(done_, now_tick);
}

void BookmarkWheel::Advance(int64_t now_tick) {
  for (size_t i = 0; i < count_ && done_ < now_tick; ++i) {
    if (!Slot(done_ + 1).empty()) return;
    ++done_;
  }
  done_ = std::max(done_, now_tick);  // Came around: all slots are empty.
}

}  // namespace weir
