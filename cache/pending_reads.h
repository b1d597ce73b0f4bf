// Reads that cannot be answered yet: of a cache that has not synced, of a revision that is yet to
// come, or that need a proof of freshness.
//
//   Read() ─▶ kSync ── synced ─▶ kRevision ─┬─▶ done
//         └───────────────────▶  kProof   ──┘       each with a time limit, at which the read is
//         forwarded
//
// Thread-affine to the replica's worker, but the last reference may be dropped on any thread.
// Bound: max_sync_waiters in kSync; the others are bounded by their callers, the requests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "cache/event_log.h"
#include "cache/replica.h"
#include "protocol/base/executor.h"

namespace weir {

class PendingReads : public std::enable_shared_from_this<PendingReads> {
 public:
  PendingReads(Executor& worker, std::shared_ptr<ProofSource> proofs, Replica::Limits limits,
               std::shared_ptr<EventLog> log);
  PendingReads(const PendingReads&) = delete;
  PendingReads& operator=(const PendingReads&) = delete;

  // As Replica::Read().
  std::unique_ptr<ReadTicket> Read(const ReadSpec& spec, ReadCallback done);

  // The log has grown or has been replaced.
  void OnProgress();
  void OnState(CacheState state);

  size_t waiting() const { return tickets_.size(); }

 private:
  class Ticket;
  friend class Ticket;

  struct Answer {
    ReadOutcome outcome = ReadOutcome::kForward;
    Snapshot snapshot;
  };
  using Id = uint64_t;

  bool synced() const { return !log_->empty(); }
  // Empty: it has to wait.
  std::optional<Answer> TryAnswer(const ReadSpec& spec);
  Answer Newest() const { return {ReadOutcome::kServe, log_->newest()}; }
  void Wait(Ticket& ticket);
  void WaitForSync(Ticket& ticket);
  void WaitForRevision(Ticket& ticket);
  void WaitForProof(Ticket& ticket);
  void AskForProof(const Ticket& ticket);
  void OnProof(Id id, bool proven);

  void StartTimer(Ticket& ticket, Duration limit);
  void Finish(Ticket& ticket, Answer answer);
  void Remove(Ticket& ticket);
  Ticket* Find(Id id) const;

  Executor& worker_;
  const std::shared_ptr<ProofSource> proofs_;
  const Replica::Limits limits_;
  const std::shared_ptr<EventLog> log_;

  CacheState state_ = CacheState::kStarting;
  Id next_id_ = 1;
  absl::flat_hash_map<Id, Ticket*> tickets_;  // All that wait.
  std::set<Id> for_sync_;                     // In order of arrival.
  std::set<std::pair<Revision, Id>> for_revision_;
};

}  // namespace weir
