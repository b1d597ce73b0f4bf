// A feed on an API server in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/feed.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/recording_replica.h"

namespace weir {

class CountingListener : public FeedListener {
 public:
  void OnFeedProgress() override { ++progress; }
  void OnTypeMissing() override { ++missing; }
  bool OnMemoryShort() override { return ++memory_short <= others_give_up; }
  int progress = 0, missing = 0, memory_short = 0;
  int others_give_up = 0;  // So many times.
};

// A feed of one type on an API server that keeps its promises until told otherwise.
class FeedTest : public ::testing::Test {
 protected:
  void Begin(const ResourceType& type, Feed::Options options = {},
             size_t max_bytes = size_t{1} << 30) {
    type_ = type;
    server_.Serve(type, options.custom);
    budget_ = std::make_shared<MemoryBudget>(max_bytes);
    upstream_ = server_.Connect(home_);
    cache_.Subscribe(replica_);
    feed_ = std::make_unique<Feed>(home_, *upstream_, cache_, budget_, type, options, listener_);
  }
  void Start() {
    feed_->Start();
    home_.RunReady();
  }
  Revision Put(std::string name, FakeApiServer::Fields fields = {}) {
    return server_.Put(type_.id, type_.namespaced ? "default" : "", std::move(name),
                       std::move(fields));
  }
  Revision Delete(std::string_view name) {
    return server_.Delete(type_.id, type_.namespaced ? "default" : "", name);
  }
  void Run(Duration time = Duration(0)) { home_.Advance(time); }

  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (auto cursor = cache_.snapshot().tree.Begin(); cursor.Valid(); cursor.Next()) {
      keys.emplace_back(cursor->key());
    }
    return keys;
  }
  std::vector<std::string> Events() const {
    std::vector<std::string> all;
    for (const auto& batch : replica_->batches) all.insert(all.end(), batch.begin(), batch.end());
    return all;
  }

  ManualExecutor home_;
  FakeApiServer server_;
  ResourceType type_;
  Cache cache_{home_, {}};
  std::shared_ptr<RecordingReplica> replica_ = std::make_shared<RecordingReplica>();
  CountingListener listener_;
  std::shared_ptr<MemoryBudget> budget_;
  std::unique_ptr<ListWatcher> upstream_;
  std::unique_ptr<Feed> feed_;
};

}  // namespace weir
