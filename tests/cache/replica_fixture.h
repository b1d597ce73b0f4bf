// A replica on a manual clock, fed by a LogBuilder that stands in for its cache.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/replica.h"
#include "tests/fakes/log_builder.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recording_sink.h"

namespace weir {

// Keeps the questions; the test answers them.
class AskedProofs final : public ProofSource {
 public:
  void Prove(Revision at_least, Executor&, absl::AnyInvocable<void(bool)> done) override {
    asked.push_back(at_least.value);
    if (at_once) {
      done(*at_once);
    } else {
      answers.push_back(std::move(done));
    }
  }
  std::vector<uint64_t> asked;
  std::vector<absl::AnyInvocable<void(bool)>> answers;
  std::optional<bool> at_once;
};

class ReplicaTest : public ::testing::Test {
 protected:
  // One watch and its client.
  struct Client {
    RecordingSink sink;
    std::unique_ptr<Watcher> watcher;
    std::vector<std::string> Take() { return sink.Take(); }
    void Drain(size_t room = RecordingSink::kUnlimited) { sink.Drain(*watcher, room); }
  };

  ReplicaTest() { limits_.max_sync_waiters = 2; }

  Replica& replica() {
    if (!replica_) replica_ = Replica::Make(worker_, proofs_, limits_);
    return *replica_;
  }
  void Sync(CacheState state = CacheState::kSynced) { replica().OnReset(log_.Begin(), state); }
  void Publish(bool keep_snapshot = true) { replica().OnBatch(log_.Cut(keep_snapshot), floor_); }

  static Filter Wants(std::string ns, std::string_view labels = "", std::string_view fields = "") {
    return Filter(std::move(ns), LabelSelector::Parse(labels).value(),
                  FieldSelector::Parse(fields).value(),
                  SelectableFields::BuiltIn({"", "v1", "pods"}));
  }
  // Begun, but not written to before the first Drain().
  std::unique_ptr<Client> Begin(WatchSpec spec) {
    auto client = std::make_unique<Client>();
    client->watcher = replica().Watch(std::move(spec), client->sink);
    return client;
  }
  std::unique_ptr<Client> Watch(WatchSpec spec) {
    auto client = Begin(std::move(spec));
    client->Drain();
    return client;
  }
  std::unique_ptr<Client> WatchFrom(uint64_t revision, Filter filter = {}) {
    WatchSpec spec;
    spec.filter = std::move(filter);
    spec.from = Revision{revision};
    return Watch(std::move(spec));
  }
  WatchSpec InitialSpec(Filter filter = {}, bool bookmarks = true) {
    WatchSpec spec;
    spec.filter = std::move(filter);
    spec.initial = replica().snapshot();
    spec.bookmarks = bookmarks;
    return spec;
  }

  ManualExecutor worker_;
  std::shared_ptr<AskedProofs> proofs_ = std::make_shared<AskedProofs>();
  Replica::Limits limits_;
  LogBuilder log_;
  uint64_t floor_ = 1;
  std::shared_ptr<Replica> replica_;
};

}  // namespace weir
