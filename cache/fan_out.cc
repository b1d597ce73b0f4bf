#include "cache/fan_out.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir {
namespace {

// As apiserver: the last bookmark comes this long before a watch's deadline, and none later.
constexpr Duration kBeforeDeadline = std::chrono::seconds(2);
// Scratch beyond this is given back after a huge batch.
constexpr size_t kKeepMatches = 65536;

}  // namespace

FanOut::Lease::Lease(FanOut& owner) : owner_(owner) {
  if (owner_.gathers_.empty()) {
    gather_ = std::make_unique<FrameGather>();
  } else {
    gather_ = std::move(owner_.gathers_.back());
    owner_.gathers_.pop_back();
  }
}

FanOut::Lease::~Lease() {
  gather_->Clear();
  owner_.gathers_.push_back(std::move(gather_));
}

FanOut::FanOut(Executor& worker, std::shared_ptr<const EventLog> log, Duration bookmark_interval)
    : worker_(worker),
      log_(std::move(log)),
      bookmark_interval_(bookmark_interval),
      wheel_(bookmark_interval) {}

std::unique_ptr<Watcher> FanOut::Watch(WatchSpec spec, WatchSink& sink) {
  View& view = dispatch_.Join(spec.filter, spec.form);
  if (watchers_ == 0) held_ = shared_from_this();
  return std::make_unique<CachedWatcher>(*this, view, std::move(spec), sink);
}

void FanOut::Publish(const Batch& batch) {
  publishing_ = true;
  MatchEvents(batch);
  for (View* const view : touched_) Deliver(batch, *view);
  touched_.clear();
  matches_.clear();
  if (matches_.capacity() > kKeepMatches) matches_.shrink_to_fit();
  ServeAhead();
  publishing_ = false;
  Sweep();
}

void FanOut::MatchEvents(const Batch& batch) {
  for (uint32_t i = 0; i < batch.events.size(); ++i) {
    const LogEvent& event = batch.events[i];
    dispatch_.ForEachCandidate(event, [&](View& view) {
      if (view.live.empty()) return;
      ++counters_.evaluations;
      const Transition transition = TransitionOf(view, event);
      if (transition != Transition::kNone) AddMatch(view, i, transition);
    });
  }
}

void FanOut::AddMatch(View& view, uint32_t event, Transition transition) {
  const auto index = static_cast<uint32_t>(matches_.size());
  matches_.push_back({event, View::kNoMatch, transition});
  if (view.first_match == View::kNoMatch) {
    view.first_match = index;
    touched_.push_back(&view);
  } else {
    matches_[view.last_match].next = index;
  }
  view.last_match = index;
}

void FanOut::Deliver(const Batch& batch, View& view) {
  const Framing& framing = FramingOf(view.form);
  uint32_t index = std::exchange(view.first_match, View::kNoMatch);
  while (index != View::kNoMatch && !view.live.empty()) {
    Lease gather(*this);
    uint32_t last_event = 0;
    while (index != View::kNoMatch) {
      const Match& match = matches_[index];
      const LogEvent& event = batch.events[match.event];
      const size_t bytes = framing.EventBytes(match.transition, event);
      if (!gather->Fits(bytes, CachedWatcher::kVisitBytes)) break;
      gather->AddEvent(framing, match.transition, event);
      last_event = match.event;
      index = match.next;
    }
    ++counters_.gathers;
    if (view.form.gzip_members) gather->Compress();
    WriteToLive(batch, view, *gather, last_event);
  }
}

void FanOut::WriteToLive(const Batch& batch, View& view, const FrameGather& gather,
                         uint32_t last_event) {
  const uint64_t next = batch.first_sequence + last_event + 1;
  const Revision revision = batch.events[last_event].revision;
  WatcherList visiting;
  visiting.TakeAll(view.live);
  while (!visiting.empty()) {
    CachedWatcher& watcher = visiting.Front();
    view.live.PushBack(watcher);
    // It caught up with this very batch while another sink was written to.
    if (watcher.cursor_ >= batch.end_sequence()) continue;
    watcher.WriteLive(gather, next, revision);
  }
}

void FanOut::ServeAhead() {
  WatcherList visiting;
  visiting.TakeAll(ahead_);
  while (!visiting.empty()) {
    CachedWatcher& watcher = visiting.Front();
    ahead_.PushBack(watcher);
    if (watcher.reached_ <= log_->revision()) watcher.WakeFromAhead();
  }
}

void FanOut::Sweep() {
  for (View* const view : std::exchange(abandoned_, {})) {
    view->abandoned = false;
    if (view->watchers == 0) dispatch_.Remove(*view);
  }
}

std::shared_ptr<FanOut> FanOut::Leave(View& view) {
  if (--view.watchers == 0 && !view.abandoned) {
    if (publishing_) {
      view.abandoned = true;
      abandoned_.push_back(&view);
    } else {
      dispatch_.Remove(view);
    }
  }
  return --watchers_ == 0 ? std::exchange(held_, nullptr) : nullptr;
}

void FanOut::FinishAll(CachedWatcher::Ending ending) {
  WatcherList ending_now;
  dispatch_.ForEach([&](View& view) { ending_now.TakeAll(view.live); });
  ending_now.TakeAll(ahead_);
  waiting_.ForEach([&](CachedWatcher& watcher) {
    if (watcher.state_ != CachedWatcher::State::kEnded) watcher.GoOver(ending);
  });
  ending_now.ForEach([&](CachedWatcher& watcher) { watcher.GoOver(ending); });
  while (!ending_now.empty()) {
    CachedWatcher& watcher = ending_now.Front();
    waiting_.PushBack(watcher);
    if (watcher.state_ == CachedWatcher::State::kOver) watcher.Finish();
  }
}

FanOut::Shape& FanOut::ShapeOf(Form form) {
  Shape& shape = shapes_[(form.metadata_only ? 1 : 0) + (form.gzip_members ? 2 : 0)];
  const std::shared_ptr<const TypeForm>& type_form = log_->newest().form;
  if (!shape.framing || shape.framing->type_form() != type_form) {
    shape.plain = shape.initial_end = {};
    shape.framing.emplace(type_form, form.metadata_only);
  }
  return shape;
}

FanOut::SharedFrame FanOut::PlainBookmark(Form form) {
  Shape& shape = ShapeOf(form);
  const Revision revision = log_->revision();
  const bool made = shape.plain.frame && shape.plain.revision == revision;
  SharedFrame frame = BookmarkAt(revision, shape, shape.plain, false);
  if (made || !form.gzip_members) return frame;
  // It goes out alone: compressed once for all.
  const std::string_view piece = *frame;
  shape.plain.frame = std::make_shared<const std::string>(http::GzipMember(std::span(&piece, 1)));
  return shape.plain.frame;
}

FanOut::SharedFrame FanOut::BookmarkAt(Revision revision, Shape& shape, Bookmark& last,
                                       bool initial_events_end) {
  if (last.frame && last.revision == revision) return last.frame;
  last.revision = revision;
  last.frame =
      std::make_shared<const std::string>(shape.framing->Bookmark(revision, initial_events_end));
  ++counters_.bookmarks_encoded;
  return last.frame;
}

void FanOut::ScheduleBookmark(CachedWatcher& watcher, Duration wait) {
  if (!watcher.bookmarks_ || watcher.mark_only_) return;
  const TimePoint now = worker_.Now();
  if (watcher.deadline_ - now <= kBeforeDeadline) return;
  wheel_.Schedule(watcher, std::min(now + wait, watcher.deadline_ - kBeforeDeadline), now);
  ArmTimer();
}

void FanOut::ArmTimer() {
  const std::optional<TimePoint> due = wheel_.NextDue();
  if (!due || (timer_ != 0 && timer_due_ <= *due)) return;
  worker_.Cancel(timer_);
  timer_due_ = *due;
  timer_ = worker_.After(timer_due_ - worker_.Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnTimer();
  });
}

void FanOut::OnTimer() {
  timer_ = 0;
  WheelList due;
  wheel_.TakeDue(worker_.Now(), due);
  while (!due.empty()) {
    CachedWatcher& watcher = due.Front();
    watcher.WheelHook::Unlink();
    watcher.OnBookmarkDue();
  }
  ArmTimer();
}

}  // namespace weir
