// All watchers of one replica: who wants which event, and who gets it when.
//
//   Publish(batch) ─▶ Dispatch ─▶ matches by view ─▶ one gather per view ─▶ Write to each live
//   watcher of it OnWritable     ─▶ catch up from the log, then live again one timer      ─▶
//   BookmarkWheel ─▶ bookmarks
//
// A batch costs the events' candidates plus one write per watcher that gets something. Watchers
// whose views match nothing are not touched, whether they are live, behind or parked.
//
// Sinks may destroy any other watcher, make new ones and call any OnWritable() inside Write() and
// End(). Thread-affine, but the last reference may be dropped on any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/bookmark_wheel.h"
#include "cache/dispatch.h"
#include "cache/event_log.h"
#include "cache/frame_gather.h"
#include "cache/replica.h"
#include "cache/watcher.h"
#include "protocol/base/executor.h"

namespace weir {

class FanOut : public std::enable_shared_from_this<FanOut> {
 public:
  FanOut(Executor& worker, std::shared_ptr<const EventLog> log, Duration bookmark_interval);
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  std::unique_ptr<Watcher> Watch(WatchSpec spec, WatchSink& sink);

  // `batch` has just become the log's newest.
  void Publish(const Batch& batch);
  // The log has been replaced: every watch ends with 410, those whose sinks are full once these
  // drain.
  void ExpireAll() { FinishAll(CachedWatcher::Ending::kExpired); }
  // Upstream refuses this resource: every watch ends without an error, so that its client asks
  // again.
  void EndAll() { FinishAll(CachedWatcher::Ending::kClean); }

  size_t watcher_count() const { return watchers_; }
  size_t view_count() const { return dispatch_.views(); }
  const WatchCounters& counters() const { return counters_; }

 private:
  friend class CachedWatcher;

  using SharedFrame = std::shared_ptr<const std::string>;
  struct Bookmark {
    Revision revision;
    SharedFrame frame;
  };
  // One event that one view wants; the next one of the same view follows by index.
  struct Match {
    uint32_t event;
    uint32_t next;
    Transition transition;
  };
  // A gather for the time of one write, since sinks may start others inside.
  class Lease;

  void MatchEvents(const Batch& batch);
  void AddMatch(View& view, uint32_t event, Transition transition);
  void Deliver(const Batch& batch, View& view);
  void WriteToLive(const Batch& batch, View& view, const FrameGather& gather, uint32_t last_event);
  void ServeAhead();
  void Sweep();

  // A watcher is gone. What comes back is dropped last: it may be all that keeps this.
  [[nodiscard]] std::shared_ptr<FanOut> Leave(View& view);
  void FinishAll(CachedWatcher::Ending ending);
  // What watchers of one form share.
  struct Shape {
    std::optional<Framing> framing;  // Of the log's own type form.
    Bookmark plain, initial_end;
  };
  Shape& ShapeOf(Form form);
  const Framing& FramingOf(Form form) { return *ShapeOf(form).framing; }
  // As it is sent: compressed where the form is.
  SharedFrame PlainBookmark(Form form);
  SharedFrame InitialEventsEnd(Form form, Revision revision) {
    Shape& shape = ShapeOf(form);
    return BookmarkAt(revision, shape, shape.initial_end, true);
  }
  SharedFrame BookmarkAt(Revision revision, Shape& shape, Bookmark& last, bool initial_events_end);
  void ScheduleBookmark(CachedWatcher& watcher, Duration wait);
  void ArmTimer();
  void OnTimer();

  Executor& worker_;
  const std::shared_ptr<const EventLog> log_;
  const Duration bookmark_interval_;

  Dispatch dispatch_;
  WatcherList waiting_;  // Neither live nor ahead.
  WatcherList ahead_;
  size_t watchers_ = 0;
  std::shared_ptr<FanOut> held_;  // Itself, while there are watchers.

  // Of the batch in hand.
  std::vector<Match> matches_;
  std::vector<View*> touched_;
  bool publishing_ = false;
  std::vector<View*> abandoned_;

  std::array<Shape, 4> shapes_;  // Whole objects, metadata only; each plain, and compressed.
  BookmarkWheel wheel_;
  Executor::TimerId timer_ = 0;
  TimePoint timer_due_;

  std::vector<std::unique_ptr<FrameGather>> gathers_;
  WatchCounters counters_;
};

class FanOut::Lease {
 public:
  explicit Lease(FanOut& owner);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  FrameGather& operator*() { return *gather_; }
  FrameGather* operator->() { return gather_.get(); }

 private:
  FanOut& owner_;
  std::unique_ptr<FrameGather> gather_;
};

}  // namespace weir
