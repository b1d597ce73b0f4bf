// The log's unit: all events that upstream delivered at once, and the state after them.
//
//   home worker:  Feed ─▶ Cache ──publish──▶ Batch ──one post per worker──▶ Replica (deque of
//   batches)
//
// Batches are immutable and shared; each Replica keeps its own deque of references, so no reader
// takes a lock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cache/object.h"
#include "cache/snapshot.h"
#include "protocol/base/executor.h"
#include "protocol/base/ref_counted.h"

namespace weir {

enum class EventType : uint8_t { kAdded, kModified, kDeleted };

// One change of one key.
struct LogEvent {
  Revision revision;
  EventType type;
  ObjectRef object;    // The state after the change; of a deletion, the last state with the
                       // deletion's revision.
  ObjectRef previous;  // The state before it; null for kAdded.
};

class Batch {
 public:
  uint64_t first_sequence =
      0;  // Of events[0]; sequences count all events of the cache from 1, without gaps.
  std::vector<LogEvent>
      events;         // By rising revision; empty when only the revision moved on (a bookmark).
  Revision revision;  // The cache's revision after the batch: of its last event or bookmark.
  // Set when the batch is the difference of a resynchronisation: no watch can start strictly
  // between this revision and `revision`, since deletions inside carry borrowed revisions.
  std::optional<Revision> gap_after;
  // Its first events have the revision that the batch before ended with: whoever has read up to
  // there has seen a part of that revision only. So come keys that are deleted together, where
  // upstream delivers them apart.
  bool goes_on = false;
  // The state after the batch. Kept for most batches, as memory allows; always for the newest.
  std::optional<Snapshot> snapshot;
  TimePoint published;
  size_t bytes = 0;  // What this batch alone keeps alive: previous objects and replaced tree nodes.

  uint64_t end_sequence() const { return first_sequence + events.size(); }

  void Ref() const { count_.Increment(); }
  void Unref() const {
    if (count_.Decrement()) delete this;
  }

 private:
  RefCount count_;
};
using BatchRef = RefPtr<const Batch>;

}  // namespace weir
