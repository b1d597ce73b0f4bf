// A Replica that only writes down what its cache tells it.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cache/replica.h"

namespace weir {

class RecordingReplica final : public Replica {
 public:
  std::unique_ptr<ReadTicket> Read(const ReadSpec&, ReadCallback done) override {
    done(ReadOutcome::kForward, {});
    return nullptr;
  }
  std::unique_ptr<Watcher> Watch(WatchSpec, WatchSink&) override { return nullptr; }
  Executor* executor() const override { return nullptr; }
  Past After(Revision) const override { return Past::kHere; }
  CacheState state() const override { return state_; }
  const Snapshot& snapshot() const override { return snapshot_; }
  size_t watcher_count() const override { return watchers; }

  void OnReset(std::deque<BatchRef> log, CacheState state) override {
    ++resets;
    state_ = state;
    batches.clear();
    goes_on.clear();
    snapshot_ = {};
    for (const BatchRef& batch : log) Take(batch);
  }
  void OnBatch(BatchRef batch, uint64_t) override { Take(batch); }
  void OnState(CacheState state) override { state_ = state; }

  // "ADDED default/a 101" of each event of each batch.
  std::vector<std::vector<std::string>> batches;
  std::vector<bool> goes_on;  // Of each batch.
  size_t resets = 0;
  size_t watchers = 0;

 private:
  void Take(const BatchRef& batch) {
    std::vector<std::string> events;
    for (const LogEvent& event : batch->events) {
      const char* const type = event.type == EventType::kAdded      ? "ADDED"
                               : event.type == EventType::kModified ? "MODIFIED"
                                                                    : "DELETED";
      events.push_back(fmt::format("{} {} {}", type, event.object->key(), event.revision.value));
    }
    batches.push_back(std::move(events));
    goes_on.push_back(batch->goes_on);
    if (batch->snapshot) snapshot_ = *batch->snapshot;
  }

  CacheState state_ = CacheState::kStarting;
  Snapshot snapshot_;
};

}  // namespace weir
