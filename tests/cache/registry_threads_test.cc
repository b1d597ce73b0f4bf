#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cache/registry.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/thread_executor.h"

namespace weir {
namespace {

constexpr size_t kWorkers = 3;

class CountingSink : public WatchSink {
 public:
  bool Write(std::span<const std::string_view> pieces, size_t, size_t) override {
    for (const std::string_view piece : pieces) text += piece;
    return true;
  }
  void End() override {}
  std::string text;
};

// A registry on real threads. Each worker has an API server of its own, with the same objects:
// feeds of one home only ever meet the one of their thread.
class RegistryThreadsTest : public ::testing::Test {
 protected:
  RegistryThreadsTest() {
    for (size_t i = 0; i < kWorkers; ++i) {
      FakeApiServer& server = servers_[i];
      for (const ResourceType& type : {Pods(), Leases(), Nodes(), Crds(), ApiServices()}) {
        server.Serve(type);
      }
      server.Put(Pods().id, "default", "first", {});
      workers_.push_back(
          {&executors_[i], [this, i] { return servers_[i].Connect(executors_[i]); }});
    }
    registry_ = Registry::Make({}, workers_);
  }
  ~RegistryThreadsTest() override {
    registry_.reset();
    // What they post to each other must find its way before the first of them stops.
    for (int round = 0; round < 5; ++round) {
      for (ThreadExecutor& executor : executors_) On(executor, [] {});
    }
    for (ThreadExecutor& executor : executors_) executor.Stop();
  }

  static void On(Executor& executor, std::function<void()> task) {
    std::promise<void> done;
    executor.Post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  // The replica of `worker`, waited for.
  std::shared_ptr<Replica> Open(size_t worker, const ResourceId& id) {
    std::promise<std::shared_ptr<Replica>> opened;
    executors_[worker].Post([&] {
      registry_->Open(worker, id, WantedEncoding(), [&](std::shared_ptr<Replica> replica) {
        opened.set_value(std::move(replica));
      });
    });
    return opened.get_future().get();
  }
  ReadOutcome Read(size_t worker, const std::shared_ptr<Replica>& replica, ReadSpec::Kind kind) {
    std::promise<ReadOutcome> read;
    std::unique_ptr<ReadTicket> ticket;
    executors_[worker].Post([&] {
      ticket =
          replica->Read({.kind = kind, .revision = {}},
                        [&](ReadOutcome outcome, const Snapshot&) { read.set_value(outcome); });
    });
    const ReadOutcome outcome = read.get_future().get();
    On(executors_[worker], [&] { ticket.reset(); });
    return outcome;
  }

  std::array<FakeApiServer, kWorkers> servers_;
  std::array<ThreadExecutor, kWorkers> executors_;
  std::vector<Registry::Worker> workers_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryThreadsTest, WorkersOpenReadAndWatchAtOnceWhileEventsCome) {
  std::array<std::shared_ptr<Replica>, kWorkers> pods;
  for (size_t i = 0; i < kWorkers; ++i) pods[i] = Open(i, Pods().id);
  std::array<CountingSink, kWorkers> sinks;
  std::array<std::unique_ptr<Watcher>, kWorkers> watchers;
  for (size_t i = 0; i < kWorkers; ++i) {
    ASSERT_EQ(Read(i, pods[i], ReadSpec::Kind::kAny), ReadOutcome::kServe);
    On(executors_[i], [&, i] {
      watchers[i] = pods[i]->Watch({}, sinks[i]);
      watchers[i]->OnWritable();
    });
  }
  for (int event = 0; event < 200; ++event) {
    for (size_t i = 0; i < kWorkers; ++i) {
      executors_[i].Post([this, i, event] {
        servers_[i].Put(Pods().id, "default", "pod-" + std::to_string(event % 20), {});
      });
    }
    if (event % 20 == 0) registry_->Status();
  }
  for (size_t i = 0; i < kWorkers; ++i) {
    EXPECT_EQ(Read(i, pods[i], ReadSpec::Kind::kMostRecent), ReadOutcome::kServe);
  }
  for (size_t i = 0; i < kWorkers; ++i) {
    On(executors_[i], [&, i] {
      EXPECT_NE(sinks[i].text.find("pod-0"), std::string::npos);
      watchers[i].reset();
      pods[i].reset();
    });
  }
}

TEST_F(RegistryThreadsTest, ShutdownMeetsReadersThatJustCome) {
  std::atomic<int> answers = 0;
  constexpr int kOpens = 50;
  for (int i = 0; i < kOpens; ++i) {
    for (size_t worker = 0; worker < kWorkers; ++worker) {
      executors_[worker].Post([this, worker, i, &answers] {
        const ResourceId id = i % 3 == 0 ? Pods().id : i % 3 == 1 ? Leases().id : Nodes().id;
        registry_->Open(worker, id, WantedEncoding(),
                        [&answers](const std::shared_ptr<Replica>&) { ++answers; });
      });
    }
    if (i == kOpens / 2) registry_->Shutdown();
  }
  for (int round = 0; round < 10; ++round) {
    for (ThreadExecutor& executor : executors_) On(executor, [] {});
  }
  EXPECT_EQ(answers, kOpens * static_cast<int>(kWorkers));
  EXPECT_TRUE(registry_->Status().empty());
}

}  // namespace
}  // namespace weir
