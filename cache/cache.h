// One resource's objects and history, on its home worker.
//
// Life cycle: empty until the first Reset(); then Apply()/Advance() and Publish() by the feed;
// Invalidate() when upstream's history is not ours any more (restored etcd), after which a Reset()
// starts anew.
//
// Thread-affine to the home executor, but for Subscribe()/Unsubscribe() and what they post.
// Replicas on other workers receive batches by post, in order.
//
// Bounds: the log keeps at most `Limits::window` and `max(log_min_bytes, log_share × object
// bytes)`.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/batch.h"
#include "cache/difference.h"
#include "cache/snapshot.h"
#include "protocol/base/containers.h"
#include "protocol/base/executor.h"
#include "protocol/base/status.h"

namespace weir {

class Replica;

// Whether a cache can answer at present; replicas receive every change of it.
enum class CacheState : uint8_t {
  kStarting,  // No complete LIST yet.
  kSynced,    // The stream from upstream is running.
  kBroken,    // The stream is down (resuming or resynchronising); what is here may be stale.
  kRefused,   // Upstream refuses LIST or WATCH of it, or it does not fit: forward everything.
};

class Cache {
 public:
  struct Limits {
    Duration window = std::chrono::minutes(10);
    double log_share = 0.25;
    size_t log_min_bytes = size_t{16} << 20;
  };

  Cache(Executor& home, Limits limits);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // The state after a complete LIST, on a cache without history. History starts here: the oldest
  // revision that a watch can resume from is `revision` itself.
  void Reset(std::shared_ptr<const TypeForm> form, ObjectTree objects, Revision revision);

  // Adds an event to the open batch. FailedPrecondition, and no change, if `revision` is below the
  // cache's, or at it for a key that already changed at it: the feed must resynchronise. kAdded or
  // kModified follow from what the store holds, whatever upstream said; a deletion of an unknown
  // key only moves the revision.
  Status Apply(bool deleted, ObjectRef object);

  // Upstream's stream has reached `revision` (a bookmark). Never moves backwards:
  // FailedPrecondition.
  Status Advance(Revision revision);

  // Closes the open batch and hands it to all replicas. Call once for all that was readable at
  // once.
  void Publish();

  // Takes back the open batch, for a Resynchronise() to follow: what is in doubt is a part of the
  // difference then.
  void Discard();

  // Replaces the state by that of a LIST at `revision` (≥ ours), as one batch of the difference:
  // changed UIDs and deletions take free revisions between ours and `revision`, lowest first;
  // objects whose bytes differ at an equal revision are replaced silently. If no such order exists
  // (more deletions than free revisions, a change that is not above our revision, another form) the
  // history is dropped (all watches get 410) instead. Returns the number of events published.
  size_t Resynchronise(std::shared_ptr<const TypeForm> form, ObjectTree objects, Revision revision);

  // Drops everything and ends every watch with 410: revisions went backwards upstream. The state is
  // kStarting then.
  void Invalidate();

  void SetState(CacheState state);

  CacheState state() const { return state_; }
  Revision revision() const { return revision_; }
  // Events not yet published are not in it.
  const Snapshot& snapshot() const { return snapshot_; }
  // Bytes of the live objects with their overhead; and what only the log keeps alive.
  size_t object_bytes() const;
  size_t log_bytes() const { return log_bytes_; }
  TimePoint last_event() const {
    return last_event_;
  }  // When the newest event came; epoch if none did.

  // Brings a replica up to date and keeps it so, by posts to its own executor. Thread-safe (runs at
  // once on the home executor, else posts itself there). After Unsubscribe() only what was posted
  // before still arrives.
  void Subscribe(std::shared_ptr<Replica> replica);
  void Unsubscribe(Replica* replica);

 private:
  struct Subscriber;
  using SubscriberRef = std::shared_ptr<const Subscriber>;

  // Whether `object`'s key has changed at the cache's own revision already.
  bool ChangedAtRevision(const Object& object) const;
  void NoteChange(const Object& object);
  // Makes the log begin with what is in `tree_` now, and tells all replicas.
  void BeginHistory(std::shared_ptr<const TypeForm> form, ObjectTree objects, Revision revision);
  void ApplyDifference(Difference difference);
  void CloseBatch(std::optional<Revision> gap_after);
  void Append(BatchRef batch);
  void Trim();
  void PostReset();
  template <typename Change>
  void ToReplicas(const Change& change);
  void AddSubscriber(std::shared_ptr<Replica> replica);
  void RemoveSubscriber(Replica* replica);

  Executor& home_;
  const Limits limits_;
  const std::shared_ptr<bool> alive_ =
      std::make_shared<bool>(true);  // What was posted home looks at it.

  CacheState state_ = CacheState::kStarting;
  Snapshot snapshot_;                     // Published.
  std::shared_ptr<const TypeForm> form_;  // Null: no history.
  ObjectTree tree_;                       // With the open batch applied.
  Revision revision_;                     // With the open batch applied.
  size_t object_bytes_ = 0;
  TimePoint last_event_;

  // The open batch; beside its events, what it alone will keep alive.
  std::vector<LogEvent> open_;
  size_t open_bytes_ = 0;
  uint64_t nodes_published_ = 0;  // tree_.nodes_copied() when the last batch was closed.
  // Keys that changed at `revision_`: the last one, and all of them where there are several.
  std::string last_key_;
  StringSet keys_at_revision_;

  uint64_t next_sequence_ = 1;
  std::deque<BatchRef> log_;
  size_t log_bytes_ = 0;
  std::vector<SubscriberRef> subscribers_;  // One per executor.
};

}  // namespace weir
