// A replica's share of the log: the batches that the cache has posted so far, oldest first.
//
// Revisions are what clients name, sequences are how watchers remember where they are: sequences
// count events without gaps, so a cursor is one number and a comparison tells whether the log still
// covers it.
//
//   oldest()                                              newest().revision
//      │  [batch 1..3 @10] [batch 4 @12] [— @15] [batch 5..9 @20, gap after 15]
//      ▼   begin_sequence() = 1                            end_sequence() = 10
//
// Thread-affine. Bounded by the cache, which names the floor with every batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include "cache/batch.h"
#include "cache/snapshot.h"

namespace weir {

class EventLog {
 public:
  // Where a reader of the log begins.
  struct Start {
    bool covered = false;  // False: events that it must see are gone, or were never known in order.
    bool ahead = false;    // Its revision lies beyond the newest one: `sequence` is the log's end.
    uint64_t sequence = 0;  // Of the first event to deliver.
    Revision oldest;        // Where not covered: the lowest revision above that can be asked for.
  };

  // Walks events in order. Valid until the log changes.
  class Position {
   public:
    bool Valid() const { return batch_ < log_->batches_.size(); }
    const LogEvent& event() const { return log_->batches_[batch_]->events[event_]; }
    uint64_t sequence() const { return log_->batches_[batch_]->first_sequence + event_; }
    void Next() {
      ++event_;
      SkipEmpty();
    }

   private:
    friend class EventLog;
    void SkipEmpty() {
      while (Valid() && event_ >= log_->batches_[batch_]->events.size()) {
        ++batch_;
        event_ = 0;
      }
    }

    const EventLog* log_ = nullptr;
    size_t batch_ = 0;
    size_t event_ = 0;
  };

  // A new history, perhaps empty. Its last batch has a snapshot.
  void Reset(std::deque<BatchRef> log);
  // `batch` follows the newest one and has a snapshot. Drops batches that begin below
  // `floor_sequence`.
  void Append(BatchRef batch, uint64_t floor_sequence);

  bool empty() const { return batches_.empty(); }
  size_t batches() const { return batches_.size(); }
  // The state after all of it; its `form` is null while the log is empty.
  const Snapshot& newest() const { return newest_; }
  Revision revision() const { return newest_.revision; }
  // The lowest revision that a watch can start after.
  Revision oldest() const { return oldest_; }
  uint64_t begin_sequence() const { return empty() ? 0 : batches_.front()->first_sequence; }
  uint64_t end_sequence() const { return empty() ? 0 : batches_.back()->end_sequence(); }

  // Whether what happened at `revision` came in more than one batch: nobody knows which part of it
  // a reader has seen that names the revision. O(log n).
  bool CameInParts(Revision revision) const;
  // Whether it lies strictly inside the gap of a resynchronisation, also of one that is forgotten:
  // who names it may have been told of a part of the difference only. O(log n).
  bool InsideGap(Revision revision) const;
  // For a reader that has seen everything up to `from`: too old below oldest(), strictly inside the
  // gap of a resynchronisation, whose deletions carry borrowed revisions, and where `from` came in
  // parts. O(log n).
  Start StartAfter(Revision from) const;
  // For a reader that has seen `snapshot`, a state of this history: the objects tell which part of
  // its revision that is.
  Start StartAfter(const Snapshot& snapshot) const;
  // `sequence` ≥ begin_sequence().
  Position At(uint64_t sequence) const;

  // The state as of `revision` ≤ revision(), its `revision` set to that: a kept snapshot, or the
  // next lower one with the events up to it applied. Empty where no snapshot is kept below, where
  // too many events (kMaxReplay) lie between, or inside the gap of a resynchronisation. The last
  // one made is remembered: pages follow each other.
  std::optional<Snapshot> StateAt(Revision revision);

  // Applying an event to a tree costs a few microseconds.
  static constexpr size_t kMaxReplay = 2000;
  static constexpr size_t kMaxGaps = 16;

 private:
  void DropFront();
  Start StartAfterAll(Revision from) const;
  // Index of the first batch above `revision`.
  size_t FirstAbove(Revision revision) const;
  std::optional<Snapshot> Rebuild(size_t above, Revision revision) const;

  std::deque<BatchRef> batches_;  // Rising by revision and by sequence.
  Snapshot newest_;
  Revision oldest_;
  std::optional<Snapshot> rebuilt_;
  // Ends of gaps whose batches were dropped, oldest first; at most kMaxGaps, of which the oldest
  // spans those before it.
  std::deque<std::pair<Revision, Revision>> dropped_gaps_;
};

}  // namespace weir
