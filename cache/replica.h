// One cache as the sessions of one worker read it: its newest snapshot, its log, its watchers.
//
// Thread-affine to its worker. It never asks the home worker for data: batches come by post, are
// immutable, and hold all that LIST and WATCH need. Only proofs of freshness are asked for
// (ProofSource).
//
//   post(batch) ─▶ Append ─▶ dispatch: views by namespace / name / nodeName / rest ─▶
//   WatchSink::Write writable    ─▶ Watcher::OnWritable ─▶ catch up from the log
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "cache/batch.h"
#include "cache/cache.h"
#include "cache/filter.h"
#include "cache/list_index.h"
#include "cache/memory_budget.h"
#include "cache/snapshot.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/form.h"

namespace weir {

// Which state a reader needs.
struct ReadSpec {
  enum class Kind : uint8_t {
    kAny,           // resourceVersion=0: whatever is here.
    kNotOlderThan,  // At least `revision`.
    kExact,         // The state as of `revision`.
    kMostRecent,    // Not older than the moment of asking: needs a proof (freshness.h).
  };
  Kind kind = Kind::kAny;
  Revision revision;
};

enum class ReadOutcome : uint8_t {
  kServe,            // The snapshot answers.
  kForward,          // No proof, no such history, refused or not synced in time: upstream answers.
  kTooManyRequests,  // Not synced, and too many wait already: 429 with Retry-After.
};

using ReadCallback = absl::AnyInvocable<void(ReadOutcome, Snapshot)>;

// Where the replica asks for proofs that its cache is not behind upstream. Implemented by the
// freshness machinery on the home worker; thread-safe. `done` is called on `caller`, after all
// batches that the proof relies on have been posted there: true when the replica's state at that
// moment is not older than the request.
class ProofSource {
 public:
  virtual ~ProofSource() = default;
  // Kind kMostRecent: not older than now. kNotOlderThan: upstream's stream has reached `at_least`.
  virtual void Prove(Revision at_least, Executor& caller, absl::AnyInvocable<void(bool)> done) = 0;
};

// The client's side of one watch. Implemented by the session, called on the worker.
class WatchSink {
 public:
  virtual ~WatchSink() = default;
  // Sends `pieces` (valid during the call; `bytes` in all; `frames` whole ones). Always takes them
  // all; returns whether more may follow at once. After false nothing is written until
  // Watcher::OnWritable(). Must not destroy the Watcher inside the call.
  virtual bool Write(std::span<const std::string_view> pieces, size_t bytes, size_t frames) = 0;
  // The stream is over: end it cleanly at this frame. The session destroys the Watcher later, not
  // inside.
  virtual void End() = 0;
};

struct WatchSpec {
  Filter filter;
  Form form = {};  // Of the cache's own encoding.
  // Start: with `initial` the snapshot's matching objects as ADDED events, then what follows it;
  // else the events after `from` (kNoRevision: after the snapshot's own).
  std::optional<Snapshot> initial;
  // Of `initial`, where an index knows them: the objects that may match, in key order.
  std::optional<std::vector<ObjectRef>> candidates = std::nullopt;
  Revision from;
  bool bookmarks =
      false;  // allowWatchBookmarks; with `initial` also the k8s.io/initial-events-end mark.
  bool mark_only = false;  // Of the bookmarks, only that one.
  TimePoint deadline =
      TimePoint::max();  // Only places the last bookmark, 2 s before; the session ends the watch.
};

// A running watch. Destroying it ends it without a word.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // The sink's socket took all that was written: send what has come meanwhile. Does at most one
  // visit's worth (128 KiB, or some thousands of objects looked at in vain) and returns whether
  // there is more: then it is to be called again, in a later turn and once the sink takes more.
  virtual bool OnWritable() = 0;
};

// What watchers have cost so far; only ever rises. For tests and metrics.
struct WatchCounters {
  uint64_t evaluations = 0;  // Filters looked at for an event, by dispatch or while catching up.
  uint64_t writes = 0;       // Calls of WatchSink::Write.
  uint64_t frames = 0;       // Frames in them.
  uint64_t bytes = 0;
  uint64_t gathers = 0;    // Writes put together: fewer than `writes` where watchers share them.
  uint64_t bookmarks = 0;  // Written, the initial-events-end mark included.
  uint64_t bookmarks_encoded = 0;  // Frames made for them.
  uint64_t parked = 0;             // Times that a sink took no more.
  uint64_t expired = 0;            // Watches ended with 410.
};

// Keeps a pending Read() alive; destroying it drops the callback.
class ReadTicket {
 public:
  virtual ~ReadTicket() = default;
};

class Replica {
 public:
  struct Limits {
    Duration sync_wait = std::chrono::seconds(10);  // Readers of a cache that has not synced yet.
    size_t max_sync_waiters = 5000;
    Duration read_wait = std::chrono::seconds(3);  // As kube-apiserver waits for freshness.
    Duration bookmark_interval = std::chrono::seconds(60);
    std::vector<IndexedProperty> indexes;  // What LISTs look objects up by; made when first asked.
    std::shared_ptr<MemoryBudget> budget;  // Of which they take their part; null: of none.
  };

  static std::shared_ptr<Replica> Make(Executor& worker, std::shared_ptr<ProofSource> proofs,
                                       Limits limits);
  virtual ~Replica() = default;

  // Calls `done` with the state asked for: inside the call when it is here, else within the limits
  // above. Returns null in the first case.
  [[nodiscard]] virtual std::unique_ptr<ReadTicket> Read(const ReadSpec& spec,
                                                         ReadCallback done) = 0;

  // Begins a watch; `sink` outlives the returned watcher. It first writes, and may End(), from the
  // first OnWritable() on, which the session calls once the response head is out. A start that the
  // log does not cover writes one ERROR event (410, "too old resource version: N (M)") and ends.
  [[nodiscard]] virtual std::unique_ptr<Watcher> Watch(WatchSpec spec, WatchSink& sink) = 0;

  // The objects of the newest state, snapshot(), that may match `filter`, in key order; nothing
  // where no index knows, and all have to be looked at. Valid until the worker's next turn.
  virtual std::optional<std::span<const ObjectRef>> Candidates(const Filter& filter) {
    static_cast<void>(filter);
    return std::nullopt;
  }

  // What a watch that begins after `revision` would find of what followed.
  enum class Past : uint8_t {
    kHere,     // All of it is here, or will come.
    kGone,     // Some is not, or not in its order: 410.
    kInParts,  // The revision came in parts, or is of a difference, of which the reader may have
               // seen some: 410, here and from anybody else.
  };
  virtual Past After(Revision revision) const = 0;

  virtual CacheState state() const = 0;
  // The newest state here; its `form` is null before the first sync.
  virtual const Snapshot& snapshot() const = 0;
  virtual size_t watcher_count() const = 0;
  virtual WatchCounters counters() const { return {}; }

  // Where the calls below are posted to; null: to the cache's home executor.
  virtual Executor* executor() const = 0;
  // From the cache, on this worker:
  virtual void OnReset(std::deque<BatchRef> log,
                       CacheState state) = 0;  // Also the first call. Ends watches with 410
                                               // when it replaces an older history.
  virtual void OnBatch(BatchRef batch,
                       uint64_t floor_sequence) = 0;  // Batches below the floor are dropped.
  virtual void OnState(CacheState state) = 0;
};

}  // namespace weir
