// One watch: where it stands in a collection's history, and the lines that it has not written yet.
//
// It holds no queue: a slow client holds a cursor, and loses its stream when the history has moved
// past it, as a kube-apiserver ends the streams of clients that do not keep up. Thread-affine.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bench/sim/selection.h"
#include "bench/sim/store.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/api_error.h"

namespace weir::sim {

struct WatchOptions {
  Filter selection;
  // With `initial` the present state comes first, as ADDED; else the events after `from`.
  bool initial = false;
  Revision from;
  bool bookmarks = false;
  bool end_mark = false;  // An annotated bookmark after the initial events.
  TimePoint begin;
  TimePoint deadline;
};

class Watch {
 public:
  // How a stream ends that does not end by itself.
  enum class Ending : uint8_t { kClean, kReset };

  Watch(std::shared_ptr<Collection> collection, WatchOptions options);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Called whenever there may be something to write. At most one.
  void OnWake(std::function<void()> wake) { wake_ = std::move(wake); }

  // Appends whole lines, about `max_bytes` of them. Nothing appended: nothing to say now.
  void Take(size_t max_bytes, std::string& out);
  // Set once there is nothing more to come, after the last Take().
  std::optional<Ending> ended() const { return idle() ? ending_ : std::nullopt; }

  // A bookmark if one is due (api-semantics 3.6); called about once a second.
  void Tick(TimePoint now);
  // One last ERROR line, then the clean end.
  void Fail(const ApiError& error);
  // What has happened up to now is still told, then the stream ends. kReset: at once.
  void End(Ending ending);

  const Collection& collection() const { return *collection_; }
  TimePoint deadline() const { return options_.deadline; }

 private:
  friend class Collection;
  void OnChange(uint64_t sequence);
  bool idle() const;
  uint64_t limit() const { return ending_ ? last_ : collection_->end_sequence(); }
  void ScheduleBookmark(TimePoint earliest, TimePoint now);
  bool Concerns(const Change& change) const;
  void TakeInitial(size_t max_bytes, std::string& out);
  void TakeChange(const Change& change, std::string& out);
  void Bookmark(Revision revision, bool end_mark);
  void Wake() {
    if (wake_) wake_();
  }

  const std::shared_ptr<Collection> collection_;
  const WatchOptions options_;
  std::function<void()> wake_;

  std::optional<Snapshot> initial_;
  ObjectTree::Cursor cursor_;
  uint64_t next_ = 0;  // The change to look at next.
  Revision told_;      // Up to here the client knows everything.
  TimePoint next_bookmark_;
  std::string extra_;  // Bookmarks and errors that wait to be written; bounded by their rate.
  std::optional<Ending> ending_;
  uint64_t last_ = 0;  // With `ending_`: changes from this one on are not told.
};

}  // namespace weir::sim
