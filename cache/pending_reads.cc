#include "cache/pending_reads.h"

#include <vector>

namespace weir {

class PendingReads::Ticket final : public ReadTicket {
 public:
  Ticket(std::shared_ptr<PendingReads> reads, const ReadSpec& wanted, ReadCallback callback)
      : owner(std::move(reads)), id(owner->next_id_++), spec(wanted), done(std::move(callback)) {
    owner->tickets_.emplace(id, this);
  }
  ~Ticket() override { owner->Remove(*this); }

  const std::shared_ptr<PendingReads> owner;
  const Id id;
  const ReadSpec spec;
  ReadCallback done;
  Executor::TimerId timer = 0;
};

PendingReads::PendingReads(Executor& worker, std::shared_ptr<ProofSource> proofs,
                           Replica::Limits limits, std::shared_ptr<EventLog> log)
    : worker_(worker),
      proofs_(std::move(proofs)),
      limits_(std::move(limits)),
      log_(std::move(log)) {}

std::unique_ptr<ReadTicket> PendingReads::Read(const ReadSpec& spec, ReadCallback done) {
  std::optional<Answer> answer = TryAnswer(spec);
  if (!answer && !synced() && for_sync_.size() >= limits_.max_sync_waiters) {
    answer = Answer{ReadOutcome::kTooManyRequests, {}};
  }
  if (answer) {
    done(answer->outcome, std::move(answer->snapshot));
    return nullptr;
  }
  auto ticket = std::make_unique<Ticket>(shared_from_this(), spec, std::move(done));
  const Id id = ticket->id;
  Wait(*ticket);
  if (Find(id) == nullptr) return nullptr;  // A proof that was ready came inside the call.
  return ticket;
}

std::optional<PendingReads::Answer> PendingReads::TryAnswer(const ReadSpec& spec) {
  if (state_ == CacheState::kRefused) return Answer{};
  if (!synced()) return std::nullopt;
  switch (spec.kind) {
    case ReadSpec::Kind::kAny:
      return Newest();
    case ReadSpec::Kind::kNotOlderThan:
      if (spec.revision <= log_->revision()) return Newest();
      return std::nullopt;
    case ReadSpec::Kind::kExact: {
      if (spec.revision > log_->revision()) return std::nullopt;
      std::optional<Snapshot> state = log_->StateAt(spec.revision);
      if (!state) return Answer{};
      return Answer{ReadOutcome::kServe, *std::move(state)};
    }
    case ReadSpec::Kind::kMostRecent:
      return std::nullopt;
  }
  return Answer{};
}

void PendingReads::Wait(Ticket& ticket) {
  if (!synced()) return WaitForSync(ticket);
  if (ticket.spec.kind == ReadSpec::Kind::kMostRecent) return WaitForProof(ticket);
  WaitForRevision(ticket);
}

void PendingReads::WaitForSync(Ticket& ticket) {
  for_sync_.insert(ticket.id);
  StartTimer(ticket, limits_.sync_wait);
}

void PendingReads::WaitForRevision(Ticket& ticket) {
  for_revision_.emplace(ticket.spec.revision, ticket.id);
  StartTimer(ticket, limits_.read_wait);
  AskForProof(ticket);
}

void PendingReads::WaitForProof(Ticket& ticket) {
  // The source keeps the time; this is for the case that it is shut down and never answers.
  StartTimer(ticket, limits_.read_wait + limits_.sync_wait);
  AskForProof(ticket);
}

void PendingReads::AskForProof(const Ticket& ticket) {
  const bool most_recent = ticket.spec.kind == ReadSpec::Kind::kMostRecent;
  proofs_->Prove(most_recent ? Revision{} : ticket.spec.revision, worker_,
                 [weak = weak_from_this(), id = ticket.id](bool proven) {
                   if (const auto self = weak.lock()) self->OnProof(id, proven);
                 });
}

void PendingReads::OnProof(Id id, bool proven) {
  Ticket* const ticket = Find(id);
  if (ticket == nullptr) return;
  if (!proven || !synced()) return Finish(*ticket, {});
  if (ticket->spec.kind == ReadSpec::Kind::kMostRecent) return Finish(*ticket, Newest());
  if (auto answer = TryAnswer(ticket->spec)) Finish(*ticket, *std::move(answer));
}

void PendingReads::OnProgress() {
  if (!synced()) return;
  for (const Id id : std::vector<Id>(for_sync_.begin(), for_sync_.end())) {
    Ticket* const ticket = Find(id);
    if (ticket == nullptr) continue;
    for_sync_.erase(id);
    if (auto answer = TryAnswer(ticket->spec)) {
      Finish(*ticket, *std::move(answer));
    } else {
      Wait(*ticket);
    }
  }
  while (!for_revision_.empty() && for_revision_.begin()->first <= log_->revision()) {
    Ticket& ticket = *Find(for_revision_.begin()->second);
    Finish(ticket, TryAnswer(ticket.spec).value_or(Answer{}));
  }
}

void PendingReads::OnState(CacheState state) {
  state_ = state;
  if (state_ != CacheState::kRefused) return;
  std::vector<Id> ids;
  for (const auto& [id, ticket] : tickets_) ids.push_back(id);
  for (const Id id : ids) {
    if (Ticket* const ticket = Find(id)) Finish(*ticket, {});
  }
}

void PendingReads::StartTimer(Ticket& ticket, Duration limit) {
  worker_.Cancel(ticket.timer);
  ticket.timer = worker_.After(limit, [weak = weak_from_this(), id = ticket.id] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    if (Ticket* const late = self->Find(id)) self->Finish(*late, {});
  });
}

void PendingReads::Finish(Ticket& ticket, Answer answer) {
  Remove(ticket);
  ReadCallback done = std::move(ticket.done);
  done(answer.outcome, std::move(answer.snapshot));  // May destroy the ticket.
}

void PendingReads::Remove(Ticket& ticket) {
  if (tickets_.erase(ticket.id) == 0) return;
  worker_.Cancel(ticket.timer);
  for_sync_.erase(ticket.id);
  for_revision_.erase({ticket.spec.revision, ticket.id});
}

PendingReads::Ticket* PendingReads::Find(Id id) const {
  const auto it = tickets_.find(id);
  return it == tickets_.end() ? nullptr : it->second;
}

}  // namespace weir
