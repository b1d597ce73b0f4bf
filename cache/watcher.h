// One client watch of a replica: where it starts, how far it has come, and whether its sink can
// take more.
//
//                 ┌─▶ kInitial ─▶┐            Write() false
//   Watch() ─▶ kStart           kBehind ◀──────────────────┐
//                 └─▶ kAhead ────▶│ ── caught up, writable ─▶ kLive
//   any of these ── history gone, upstream refuses ─▶ kOver ─▶ (written and ended) kEnded
//
// A live watcher holds no position: it has seen all there is. The others hold one number, a
// sequence of the log. Thread-affine to the replica's worker. The FanOut lives
// as long as any of its watchers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cache/bookmark_wheel.h"
#include "cache/event_log.h"
#include "cache/frame_gather.h"
#include "cache/replica.h"
#include "cache/view.h"

namespace weir {

class FanOut;

class CachedWatcher final : public Watcher, public PlaceHook, public WheelHook {
 public:
  // The most that is written at once, but for single frames above it.
  static constexpr size_t kVisitBytes = size_t{128} << 10;
  // The most objects or events that are looked at for one visit: about two milliseconds.
  static constexpr size_t kVisitScan = 16384;

  CachedWatcher(FanOut& fan_out, View& view, WatchSpec spec, WatchSink& sink);
  ~CachedWatcher() override;

  bool OnWritable() override;

 private:
  friend class FanOut;

  enum class State : uint8_t {
    kStart,    // Named a revision that is looked up at the first OnWritable().
    kInitial,  // Writes the snapshot's objects; `cursor_` is what follows the snapshot.
    kBehind,   // The log from `cursor_` on has not been written.
    kAhead,    // Asked for what follows a revision that is yet to come.
    kLive,     // Gets each batch as it comes; listed in its view.
    kOver,     // Has to be told that it is over, at the next OnWritable().
    kEnded,    // Has been told.
  };
  enum class Ending : uint8_t { kExpired, kClean };

  // The snapshot's objects that have not been written yet.
  struct Initial {
    explicit Initial(WatchSpec& spec);
    bool AtEnd() const;
    const Object& Front() const { return candidates ? *(*candidates)[next] : *cursor; }
    void Next();

    Snapshot snapshot;
    ObjectTree::Cursor cursor;
    std::string end_key;
    std::optional<std::vector<ObjectRef>> candidates;  // In place of the cursor.
    size_t next = 0;
  };

  void StartAt(WatchSpec& spec);
  // Looks up what follows `reached_`.
  void Begin();
  // One write of what is owed. Returns whether more is owed.
  bool Visit();
  void GatherInitial(FrameGather& gather);
  std::optional<ObjectTree::Leaf> LeafForAll() const;
  void GatherEvents(FrameGather& gather);
  bool Lost() const;

  // Called by FanOut.
  // Frames of a batch, with `next` the sequence after them and `revision` that of the last.
  void WriteLive(const FrameGather& gather, uint64_t next, Revision revision);
  // The revision that it waited for has come, or can no longer come in order.
  void WakeFromAhead();
  void OnBookmarkDue();
  void GoOver(Ending ending);
  void Finish();  // Of a watcher that is over: its sink can take it now.

  bool Write(const FrameGather& gather);
  void Park(uint64_t cursor);
  void GoLive();
  std::shared_ptr<const std::string> ExpiredFrame() const;

  FanOut& fan_out_;
  View& view_;
  WatchSink& sink_;
  const TimePoint deadline_;
  std::unique_ptr<Initial> initial_;
  uint64_t cursor_ = 0;  // While live: where it became so.
  Revision reached_;     // The newest revision that the client knows of from this watch.
  State state_ = State::kStart;
  Ending ending_ = Ending::kExpired;
  const bool bookmarks_;
  const bool mark_only_;
  bool mark_is_last_ = false;  // Of the bookmarks, the one that ended the initial events.
  bool blocked_ = false;       // The last Write() was refused more.
};

// A waiting watcher's whole price in this layer, beside its share of a view.
static_assert(sizeof(CachedWatcher) <= 104);

}  // namespace weir
