// When which watcher is due for a bookmark, to the second: one wheel of one-second slots for a
// whole replica, so that any number of watchers costs one timer.
//
// Thread-affine, knows no timers itself. Watchers leave it when they are destroyed.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "cache/intrusive_list.h"
#include "protocol/base/executor.h"

namespace weir {

class CachedWatcher;
struct WheelHook : ListHook {};
using WheelList = IntrusiveList<CachedWatcher, WheelHook>;

class BookmarkWheel {
 public:
  static constexpr Duration kSlot = std::chrono::seconds(1);

  // Nothing is scheduled further ahead than `longest`.
  explicit BookmarkWheel(Duration longest);

  // `watcher` will be among those that are due at `due`, rounded down to a whole second, but not
  // before the next second begins. Replaces what was scheduled for it.
  void Schedule(CachedWatcher& watcher, TimePoint due, TimePoint now);
  // The next moment at which somebody is due. O(slots).
  std::optional<TimePoint> NextDue();
  // Moves all that are due by `now` into `due`.
  void TakeDue(TimePoint now, WheelList& due);

 private:
  static int64_t TickOf(TimePoint time);
  WheelList& Slot(int64_t tick) { return slots_[static_cast<size_t>(tick) % count_]; }
  // Skips empty slots up to the present.
  void Advance(int64_t now_tick);

  const size_t count_;
  const std::unique_ptr<WheelList[]> slots_;
  int64_t done_ = 0;  // The tick that was served last.
};

}  // namespace weir
