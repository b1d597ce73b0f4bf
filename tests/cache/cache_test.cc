#include "cache/cache.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/replica.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/test_objects.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string Text(const LogEvent& event) {
  const char* const type = event.type == EventType::kAdded      ? "ADDED"
                           : event.type == EventType::kModified ? "MODIFIED"
                                                                : "DELETED";
  return fmt::format("{} {} {}", type, event.object->key(), event.revision.value);
}

// Keeps what the cache tells it, in order.
class FakeReplica final : public Replica {
 public:
  explicit FakeReplica(Executor& executor) : executor_(executor) {}
  ~FakeReplica() override { EXPECT_TRUE(executor_.IsCurrent()); }

  std::unique_ptr<ReadTicket> Read(const ReadSpec&, ReadCallback) override { return nullptr; }
  std::unique_ptr<Watcher> Watch(WatchSpec, WatchSink&) override { return nullptr; }
  Past After(Revision) const override { return Past::kHere; }
  CacheState state() const override { return state_; }
  const Snapshot& snapshot() const override { return snapshot_; }
  size_t watcher_count() const override { return 0; }
  Executor* executor() const override { return &executor_; }

  void OnReset(std::deque<BatchRef> log, CacheState state) override {
    EXPECT_TRUE(executor_.IsCurrent());
    calls.push_back(fmt::format("reset {}", log.size()));
    state_ = state;
    batches.assign(log.begin(), log.end());
    snapshot_ = batches.empty() ? Snapshot() : batches.back()->snapshot.value();
  }
  void OnBatch(BatchRef batch, uint64_t floor_sequence) override {
    EXPECT_TRUE(executor_.IsCurrent());
    if (!batches.empty()) {
      EXPECT_EQ(batch->first_sequence, batches.back()->end_sequence());
      EXPECT_GE(batch->revision, batches.back()->revision);
    }
    EXPECT_LE(floor_sequence, batch->first_sequence);
    calls.push_back(fmt::format("batch {}", batch->events.size()));
    snapshot_ = batch->snapshot.value();
    batches.push_back(std::move(batch));
    while (batches.front()->first_sequence < floor_sequence) batches.erase(batches.begin());
  }
  void OnState(CacheState state) override {
    calls.push_back(fmt::format("state {}", static_cast<int>(state)));
    state_ = state;
  }

  std::vector<std::string> Events() const {
    std::vector<std::string> texts;
    for (const BatchRef& batch : batches) {
      for (const LogEvent& event : batch->events) texts.push_back(Text(event));
    }
    return texts;
  }

  std::vector<std::string> calls;
  std::vector<BatchRef> batches;

 private:
  Executor& executor_;
  CacheState state_ = CacheState::kStarting;
  Snapshot snapshot_;
};

// A cache listed at revision 100 with two pods, and a replica on another worker.
class CacheTest : public ::testing::Test {
 protected:
  CacheTest() { Make({}); }

  void Make(Cache::Limits limits) {
    cache_ = std::make_unique<Cache>(home_, limits);
    replica_ = std::make_shared<FakeReplica>(worker_);
    cache_->Subscribe(replica_);
    cache_->Reset(PodForm(), TwoPods(), {100});
    cache_->SetState(CacheState::kSynced);
    worker_.RunReady();
  }
  void TearDown() override {
    cache_.reset();
    worker_.RunReady();
  }

  static ObjectTree TwoPods() {
    return ObjectTree::FromSorted({MakeObject("a/x", 90), MakeObject("a/y", 95)});
  }
  Status Put(std::string_view key, uint64_t revision, const ObjectShape& shape = {}) {
    return cache_->Apply(false, MakeObject(key, revision, shape));
  }
  Status Delete(std::string_view key, uint64_t revision) {
    return cache_->Apply(true, MakeObject(key, revision));
  }
  void Publish() {
    cache_->Publish();
    worker_.RunReady();
  }
  size_t Resynchronise(std::vector<ObjectRef> objects, uint64_t revision) {
    const size_t events =
        cache_->Resynchronise(PodForm(), ObjectTree::FromSorted(std::move(objects)), {revision});
    worker_.RunReady();
    return events;
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (auto c = replica_->snapshot().tree.Begin(); c.Valid(); c.Next()) {
      keys.push_back(fmt::format("{} {}", c->key(), c->revision().value));
    }
    return keys;
  }

  ManualExecutor home_, worker_;
  std::unique_ptr<Cache> cache_;
  std::shared_ptr<FakeReplica> replica_;
};

TEST_F(CacheTest, AFirstListBeginsTheHistory) {
  EXPECT_THAT(replica_->calls, ElementsAre("reset 0", "reset 1", "state 1"));
  EXPECT_EQ(replica_->state(), CacheState::kSynced);
  EXPECT_EQ(replica_->batches.front()->revision, Revision{100});
  EXPECT_THAT(replica_->batches.front()->events, IsEmpty());
  EXPECT_THAT(Keys(), ElementsAre("a/x 90", "a/y 95"));
}

TEST_F(CacheTest, TypesFollowFromTheStore) {
  ASSERT_TRUE(Put("a/x", 101).ok());
  ASSERT_TRUE(Put("a/z", 102).ok());
  ASSERT_TRUE(Delete("a/y", 103).ok());
  ASSERT_TRUE(Put("a/y", 104).ok());
  Publish();
  EXPECT_THAT(replica_->Events(),
              ElementsAre("MODIFIED a/x 101", "ADDED a/z 102", "DELETED a/y 103", "ADDED a/y 104"));
  const std::vector<LogEvent>& events = replica_->batches.back()->events;
  EXPECT_EQ(events[0].previous->revision(), Revision{90});
  EXPECT_FALSE(events[1].previous);
  EXPECT_EQ(events[2].previous->revision(), Revision{95});
  EXPECT_FALSE(events[3].previous);
  EXPECT_THAT(Keys(), ElementsAre("a/x 101", "a/y 104", "a/z 102"));
}

TEST_F(CacheTest, NothingIsSeenBeforeItIsPublishedAndThenAllAtOnce) {
  ASSERT_TRUE(Put("a/x", 101).ok());
  ASSERT_TRUE(Put("a/y", 102).ok());
  EXPECT_EQ(cache_->snapshot().revision, Revision{100});
  EXPECT_EQ(worker_.tasks(), 0u);
  cache_->Publish();
  EXPECT_EQ(worker_.tasks(), 1u);
  EXPECT_EQ(cache_->snapshot().revision, Revision{102});
  cache_->Publish();  // Nothing new.
  EXPECT_EQ(worker_.tasks(), 1u);
}

TEST_F(CacheTest, ASnapshotIsAStateAndStaysIt) {
  const Snapshot before = cache_->snapshot();
  ASSERT_TRUE(Delete("a/x", 101).ok());
  Publish();
  EXPECT_TRUE(before.tree.Find("a/x"));
  EXPECT_FALSE(cache_->snapshot().tree.Find("a/x"));
}

TEST_F(CacheTest, ReplayedOrReorderedEventsAreRefused) {
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 99)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/y", 95)));
  ASSERT_TRUE(Put("a/x", 101).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 101)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Delete("a/x", 101)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/y", 100)));
  Publish();
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 101)));
  EXPECT_THAT(replica_->Events(), ElementsAre("MODIFIED a/x 101"));
}

TEST_F(CacheTest, SeveralKeysMayChangeAtOneRevisionButNoneTwice) {
  ASSERT_TRUE(Delete("a/x", 101).ok());
  ASSERT_TRUE(Delete("a/y", 101).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 101)));
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/y", 101)));
  ASSERT_TRUE(Put("a/z", 101).ok());
  Publish();
  EXPECT_THAT(replica_->Events(),
              ElementsAre("DELETED a/x 101", "DELETED a/y 101", "ADDED a/z 101"));
}

TEST_F(CacheTest, DeletionOfAnUnknownKeyOnlyMovesTheRevision) {
  ASSERT_TRUE(Delete("a/nope", 101).ok());
  Publish();
  EXPECT_THAT(replica_->Events(), IsEmpty());
  EXPECT_EQ(replica_->snapshot().revision, Revision{101});
}

TEST_F(CacheTest, BookmarksMoveTheRevisionAndNeverBack) {
  ASSERT_TRUE(cache_->Advance({150}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(cache_->Advance({149})));
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 149)));
  Publish();
  EXPECT_EQ(replica_->snapshot().revision, Revision{150});
  EXPECT_EQ(replica_->batches.back()->end_sequence(), replica_->batches.back()->first_sequence);
}

TEST_F(CacheTest, AQuietCacheDoesNotCollectBookmarks) {
  for (uint64_t revision = 101; revision < 200; ++revision) {
    ASSERT_TRUE(cache_->Advance({revision}).ok());
    Publish();
  }
  const auto late = std::make_shared<FakeReplica>(worker_);
  cache_->Subscribe(late);
  worker_.RunReady();
  EXPECT_THAT(late->batches, SizeIs(2));
  EXPECT_EQ(late->batches.front()->revision, Revision{100});
  EXPECT_EQ(late->snapshot().revision, Revision{199});
}

TEST_F(CacheTest, WithoutReplicasNothingIsPosted) {
  cache_->Unsubscribe(replica_.get());
  worker_.RunReady();
  ASSERT_TRUE(Put("a/x", 101).ok());
  cache_->Publish();
  cache_->SetState(CacheState::kBroken);
  EXPECT_EQ(worker_.tasks(), 0u);
  EXPECT_EQ(home_.tasks(), 0u);
}

TEST_F(CacheTest, ALateReplicaGetsTheLogAndWhatFollows) {
  ASSERT_TRUE(Put("a/x", 101).ok());
  Publish();
  ASSERT_TRUE(Put("a/x", 102).ok());  // Not published when it comes.
  const auto late = std::make_shared<FakeReplica>(worker_);
  cache_->Subscribe(late);
  worker_.RunReady();
  EXPECT_THAT(late->Events(), ElementsAre("MODIFIED a/x 101"));
  EXPECT_EQ(late->state(), CacheState::kSynced);
  Publish();
  EXPECT_THAT(late->Events(), ElementsAre("MODIFIED a/x 101", "MODIFIED a/x 102"));
  EXPECT_EQ(late->Events(), replica_->Events());
}

TEST_F(CacheTest, ReplicasOfOneExecutorShareAPost) {
  const auto second = std::make_shared<FakeReplica>(worker_);
  cache_->Subscribe(second);
  worker_.RunReady();
  ASSERT_TRUE(Put("a/x", 101).ok());
  cache_->Publish();
  EXPECT_EQ(worker_.tasks(), 1u);
  worker_.RunReady();
  EXPECT_EQ(second->Events(), replica_->Events());
}

TEST_F(CacheTest, SubscribingFromAnotherThreadPostsItselfHome) {
  const auto other = std::make_shared<FakeReplica>(worker_);
  worker_.Post([&] { cache_->Subscribe(other); });
  worker_.RunReady();
  EXPECT_THAT(other->calls, IsEmpty());
  ManualExecutor::RunReady({&home_, &worker_});
  EXPECT_THAT(other->calls, ElementsAre("reset 1"));
  worker_.Post([&] { cache_->Unsubscribe(other.get()); });
  ManualExecutor::RunReady({&home_, &worker_});
  ASSERT_TRUE(Put("a/x", 101).ok());
  Publish();
  EXPECT_THAT(other->calls, ElementsAre("reset 1"));
}

TEST_F(CacheTest, ACacheThatIsGoneIgnoresLateSubscribers) {
  worker_.Post([&] { cache_->Subscribe(replica_); });
  worker_.RunReady();
  cache_.reset();
  ManualExecutor::RunReady({&home_, &worker_});
  EXPECT_THAT(replica_->calls, ElementsAre("reset 0", "reset 1", "state 1"));
}

TEST_F(CacheTest, ReplicasDieOnTheirOwnExecutor) {
  // The replica itself checks where it is destroyed.
  FakeReplica* const raw = replica_.get();
  replica_.reset();
  home_.Post([this, raw] { cache_->Unsubscribe(raw); });
  ManualExecutor::RunReady({&home_, &worker_});
}

TEST_F(CacheTest, TheLogIsBoundByTime) {
  ASSERT_TRUE(Put("a/x", 101).ok());
  Publish();
  home_.Advance(6min);
  ASSERT_TRUE(Put("a/x", 102).ok());
  Publish();
  EXPECT_THAT(replica_->batches, SizeIs(3));
  home_.Advance(6min);
  ASSERT_TRUE(Put("a/x", 103).ok());
  Publish();
  // The first batch goes with the event that followed it: until then it says where history begins.
  EXPECT_THAT(replica_->Events(), ElementsAre("MODIFIED a/x 102", "MODIFIED a/x 103"));
}

TEST_F(CacheTest, TheLogIsBoundByBytesAndTheNewestBatchAlwaysStays) {
  Make({.window = 10min, .log_share = 0.25, .log_min_bytes = 20000});
  const std::string note(5000, 'n');
  for (uint64_t revision = 101; revision < 140; ++revision) {
    ASSERT_TRUE(Put("a/x", revision, {.note = note}).ok());
    Publish();
    EXPECT_LE(cache_->log_bytes(), 20000u);
  }
  EXPECT_GE(replica_->batches.size(), 2u);
  EXPECT_LE(replica_->batches.size(), 4u);
  Make({.window = 10min, .log_share = 0, .log_min_bytes = 0});
  for (uint64_t revision = 101; revision < 110; ++revision) {
    ASSERT_TRUE(Put("a/x", revision, {.note = note}).ok());
    Publish();
  }
  EXPECT_THAT(replica_->Events(), ElementsAre("MODIFIED a/x 109"));
}

TEST_F(CacheTest, ALargeCacheMayKeepALargeLog) {
  Make({.window = 10min, .log_share = 0.25, .log_min_bytes = 0});
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Put(fmt::format("a/{}", i), 101 + i, {.note = std::string(20000, 'n')}).ok());
  }
  Publish();
  for (uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(Put(fmt::format("a/{}", i), 300 + i, {.note = std::string(20000, 'n')}).ok());
    Publish();
  }
  EXPECT_LE(cache_->log_bytes(), cache_->object_bytes() / 4);
  EXPECT_GE(replica_->batches.size(), 15u);
}

TEST_F(CacheTest, BytesOfTheStoreAreCountedExactly) {
  ASSERT_TRUE(Put("a/x", 101, {.note = "longer"}).ok());
  ASSERT_TRUE(Delete("a/y", 102).ok());
  ASSERT_TRUE(Put("a/z", 103).ok());
  Publish();
  size_t bytes = 0;
  for (auto c = cache_->snapshot().tree.Begin(); c.Valid(); c.Next()) bytes += c->footprint();
  EXPECT_EQ(cache_->object_bytes(), bytes);
  Resynchronise({MakeObject("a/x", 101, {.note = "other"}), MakeObject("a/w", 110)}, 120);
  bytes = 0;
  for (auto c = cache_->snapshot().tree.Begin(); c.Valid(); c.Next()) bytes += c->footprint();
  EXPECT_EQ(cache_->object_bytes(), bytes);
}

TEST_F(CacheTest, ResynchronisingPublishesTheDifferenceAsOneBatchBehindAGap) {
  ASSERT_TRUE(Put("a/x", 101).ok());  // Open: published first.
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 101), MakeObject("a/z", 115)}, 120), 2u);
  EXPECT_THAT(replica_->calls, ElementsAre("reset 0", "reset 1", "state 1", "batch 1", "batch 2"));
  EXPECT_THAT(replica_->Events(),
              ElementsAre("MODIFIED a/x 101", "DELETED a/y 102", "ADDED a/z 115"));
  EXPECT_EQ(replica_->batches.back()->gap_after, Revision{101});
  EXPECT_EQ(replica_->batches.back()->revision, Revision{120});
  EXPECT_THAT(Keys(), ElementsAre("a/x 101", "a/z 115"));
  EXPECT_TRUE(Put("a/x", 121).ok());
}

TEST_F(CacheTest, ANewUidIsSeenAsADeletionAndAnAddition) {
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 110, {.uid = "other"}), MakeObject("a/y", 95)}, 120),
            2u);
  EXPECT_THAT(replica_->Events(), ElementsAre("DELETED a/x 101", "ADDED a/x 110"));
  EXPECT_EQ(replica_->snapshot().tree.Find("a/x")->uid(), "other");
  EXPECT_THAT(std::string(replica_->batches.back()->events[0].object->rest()),
              ::testing::HasSubstr(R"("resourceVersion":"101")"));
}

TEST_F(CacheTest, AGapIsMarkedEvenWhereTheNetChangeIsNothing) {
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 90), MakeObject("a/y", 95)}, 120), 0u);
  EXPECT_EQ(replica_->batches.back()->gap_after, Revision{100});
  EXPECT_EQ(replica_->snapshot().revision, Revision{120});
}

TEST_F(CacheTest, WhatIsTakenBackIsAPartOfTheDifference) {
  ASSERT_TRUE(Put("a/x", 101).ok());
  ASSERT_TRUE(Put("a/new", 102).ok());
  ASSERT_TRUE(Delete("a/y", 103).ok());
  const size_t before = cache_->snapshot().tree.Find("a/x")->footprint() +
                        cache_->snapshot().tree.Find("a/y")->footprint();
  cache_->Discard();
  EXPECT_EQ(cache_->revision(), Revision{100});
  EXPECT_EQ(cache_->object_bytes(), before);
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 101), MakeObject("a/z", 115)}, 120), 3u);
  EXPECT_THAT(replica_->Events(),
              ElementsAre("MODIFIED a/x 101", "DELETED a/y 102", "ADDED a/z 115"));
  EXPECT_EQ(replica_->batches.back()->gap_after, Revision{100});
}

TEST_F(CacheTest, ResynchronisingAtTheSameStateSaysNothing) {
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 90), MakeObject("a/y", 95)}, 100), 0u);
  EXPECT_THAT(replica_->calls, ElementsAre("reset 0", "reset 1", "state 1"));
}

TEST_F(CacheTest, NewBytesAtAnEqualRevisionAreServedWithoutAnEvent) {
  EXPECT_EQ(Resynchronise({MakeObject("a/x", 90, {.note = "new"}), MakeObject("a/y", 95)}, 100),
            0u);
  EXPECT_THAT(replica_->Events(), IsEmpty());
  EXPECT_THAT(std::string(replica_->snapshot().tree.Find("a/x")->rest()),
              ::testing::HasSubstr("new"));
}

TEST_F(CacheTest, WhereTheDifferenceHasNoOrderTheHistoryEnds) {
  EXPECT_EQ(Resynchronise({}, 101), 0u);  // Two deletions, one revision.
  EXPECT_EQ(replica_->calls.back(), "reset 1");
  EXPECT_EQ(replica_->batches.front()->revision, Revision{101});
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(cache_->object_bytes(), 0u);
  EXPECT_EQ(replica_->state(), CacheState::kSynced);
  ASSERT_TRUE(Put("a/x", 102).ok());
  Publish();
  EXPECT_THAT(replica_->Events(), ElementsAre("ADDED a/x 102"));
}

TEST_F(CacheTest, AnotherFormOfItemsEndsTheHistory) {
  cache_->Resynchronise(CronTabForm(), TwoPods(), {120});
  worker_.RunReady();
  EXPECT_EQ(replica_->calls.back(), "reset 1");
  EXPECT_TRUE(replica_->snapshot().form->typed_items);
}

TEST_F(CacheTest, InvalidationDropsEverythingAndAResetBeginsAnew) {
  cache_->Invalidate();
  worker_.RunReady();
  EXPECT_EQ(replica_->calls.back(), "reset 0");
  EXPECT_EQ(replica_->state(), CacheState::kStarting);
  EXPECT_EQ(cache_->state(), CacheState::kStarting);
  EXPECT_FALSE(cache_->snapshot().form);
  EXPECT_TRUE(absl::IsFailedPrecondition(Put("a/x", 101)));
  EXPECT_TRUE(absl::IsFailedPrecondition(cache_->Advance({101})));
  cache_->Publish();

  cache_->Reset(PodForm(), TwoPods(), {50});
  cache_->SetState(CacheState::kSynced);
  worker_.RunReady();
  EXPECT_EQ(replica_->snapshot().revision, Revision{50});
  ASSERT_TRUE(Put("a/x", 96).ok());
}

TEST_F(CacheTest, TheTimeOfTheNewestEventIsKept) {
  EXPECT_EQ(cache_->last_event(), TimePoint());
  home_.Advance(5s);
  ASSERT_TRUE(Put("a/x", 101).ok());
  const TimePoint then = home_.Now();
  home_.Advance(5s);
  ASSERT_TRUE(cache_->Advance({110}).ok());
  Publish();
  EXPECT_EQ(cache_->last_event(), then);
}

TEST_F(CacheTest, ABatchCopiesEachTouchedNodeOnce) {
  std::vector<ObjectRef> pods;
  for (int i = 1000; i < 3000; ++i) pods.push_back(MakeObject(fmt::format("a/{}", i), 50));
  cache_->Reset(PodForm(), ObjectTree::FromSorted(std::move(pods)), {100});
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(Put("a/1000", 101 + static_cast<uint64_t>(i)).ok());
  }
  Publish();
  size_t objects = 0;
  for (const LogEvent& event : replica_->batches.back()->events) {
    objects += event.previous->footprint() + sizeof(LogEvent);
  }
  EXPECT_EQ(replica_->batches.back()->bytes, objects + 2 * ObjectTree::node_bytes());
}

}  // namespace
}  // namespace weir
