#include "cache/replica.h"

#include <deque>
#include <utility>

#include "cache/event_log.h"
#include "cache/fan_out.h"
#include "cache/pending_reads.h"

namespace weir {
namespace {

class LogReplica final : public Replica {
 public:
  LogReplica(Executor& worker, std::shared_ptr<ProofSource> proofs, Limits limits)
      : worker_(worker),
        log_(std::make_shared<EventLog>()),
        fan_out_(std::make_shared<FanOut>(worker, log_, limits.bookmark_interval)),
        reads_(std::make_shared<PendingReads>(worker, std::move(proofs), limits, log_)),
        properties_(std::move(limits.indexes)) {
    if (limits.budget) memory_.emplace(std::move(limits.budget));
  }

  std::unique_ptr<ReadTicket> Read(const ReadSpec& spec, ReadCallback done) override {
    return reads_->Read(spec, std::move(done));
  }
  std::unique_ptr<Watcher> Watch(WatchSpec spec, WatchSink& sink) override {
    return fan_out_->Watch(std::move(spec), sink);
  }

  std::optional<std::span<const ObjectRef>> Candidates(const Filter& filter) override {
    const Snapshot& newest = log_->newest();
    if (newest.form == nullptr) return std::nullopt;
    if (indexes_.empty()) {
      for (const IndexedProperty& property : properties_) {
        indexes_.emplace_back(property, newest.form->fields);
      }
    }
    for (ListIndex& index : indexes_) {
      const auto value = index.Required(filter);
      if (!value) continue;
      if (!index.built()) {
        index.Build(newest.tree);
        Account();
      }
      const std::vector<ObjectRef>* const found = index.Find(*value);
      return found == nullptr ? std::span<const ObjectRef>() : std::span(*found);
    }
    return std::nullopt;
  }

  Past After(Revision revision) const override {
    if (log_->CameInParts(revision) || log_->InsideGap(revision)) return Past::kInParts;
    return log_->StartAfter(revision).covered ? Past::kHere : Past::kGone;
  }

  Executor* executor() const override { return &worker_; }
  CacheState state() const override { return state_; }
  const Snapshot& snapshot() const override { return log_->newest(); }
  size_t watcher_count() const override { return fan_out_->watcher_count(); }
  WatchCounters counters() const override { return fan_out_->counters(); }

  void OnReset(std::deque<BatchRef> log, CacheState state) override {
    const bool replaces = !log_->empty();
    log_->Reset(std::move(log));
    indexes_.clear();
    Account();
    if (replaces) fan_out_->ExpireAll();
    OnState(state);
    reads_->OnProgress();
  }

  void OnBatch(BatchRef batch, uint64_t floor_sequence) override {
    log_->Append(batch, floor_sequence);
    for (ListIndex& index : indexes_) index.Apply(*batch);
    Account();
    fan_out_->Publish(*batch);
    reads_->OnProgress();  // Last: it may begin watches, which then have this batch behind them.
  }

  void OnState(CacheState state) override {
    state_ = state;
    if (state == CacheState::kRefused) fan_out_->EndAll();
    reads_->OnState(state);
  }

 private:
  void Account() {
    if (!memory_) return;
    size_t bytes = 0;
    for (const ListIndex& index : indexes_) bytes += index.bytes();
    memory_->Set(bytes);
  }

  Executor& worker_;
  CacheState state_ = CacheState::kStarting;
  const std::shared_ptr<EventLog> log_;
  const std::shared_ptr<FanOut> fan_out_;
  const std::shared_ptr<PendingReads> reads_;
  const std::vector<IndexedProperty> properties_;
  std::vector<ListIndex> indexes_;  // Empty, or one for each property.
  std::optional<MemoryBudget::Share> memory_;
};

}  // namespace

std::shared_ptr<Replica> Replica::Make(Executor& worker, std::shared_ptr<ProofSource> proofs,
                                       Limits limits) {
  return std::make_shared<LogReplica>(worker, std::move(proofs), std::move(limits));
}

}  // namespace weir
