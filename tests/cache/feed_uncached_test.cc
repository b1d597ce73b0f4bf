// Feeds of events: no bookmarks, and keys that expire together share a revision.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "tests/cache/feed_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

ResourceType EventsType() { return FakeType("", "v1", "events", "Event"); }

class FeedUncachedTest : public FeedTest {
 protected:
  // As a stream brings it; of an object that the server made first.
  void SendDeleted(const std::string& name, Revision revision) {
    const auto& history = server_.history(type_.id);
    const auto made = std::find_if(history.begin(), history.end(),
                                   [&](const auto& change) { return change.after.name == name; });
    ASSERT_NE(made, history.end());
    server_.SendRaw(
        type_.id,
        fmt::format(
            R"({{"type":"DELETED","object":{{"kind":"{}","apiVersion":"{}","metadata":{{"name":"{}",)"
            R"("namespace":"default","uid":"{}","resourceVersion":"{}"}}}}}})"
            "\n",
            type_.kind, type_.id.ApiVersion(), name, made->after.uid, revision.value));
  }
  // A feed that knows `a`, with a stream that will never tell it of `b`.
  void BeginDeaf() {
    Begin(EventsType(), {.uncached = true});
    Put("a");
    server_.SetChaos({.deaf = 1});
    Start();
    server_.SetChaos({});
    Put("b");
  }
};

TEST_F(FeedUncachedTest, KeysThatShareARevisionAreReadTogether) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b", "c"}) Put(name);
  Start();
  server_.SetChaos({.split = 1, .latency = milliseconds(1)});
  server_.DeleteTogether(type_.id, {"default/a", "default/b", "default/c"});
  Run(seconds(1));
  ASSERT_EQ(replica_->batches.size(), 2u);  // The first is the LIST's.
  EXPECT_THAT(replica_->batches[1], SizeIs(3));
  // What follows them tells that they were all.
  Put("d");
  Delete("d");
  Put("e");
  Run(milliseconds(40));
  EXPECT_THAT(Keys(), ElementsAre("default/e"));
}

TEST_F(FeedUncachedTest, WhatComesLaterOfARevisionGoesOnWithIt) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b", "c"}) Put(name);
  Start();
  server_.SetDeaf(true);
  const Revision gone = server_.DeleteTogether(type_.id, {"default/a", "default/b", "default/c"});
  const auto deleted = [&](const std::string& name, Revision revision) {
    SendDeleted(name, revision);
    Run(milliseconds(40));
  };
  deleted("a", gone);
  deleted("b", gone);
  EXPECT_THAT(Keys(), SizeIs(3)) << "each leaves time for the next";
  Run(milliseconds(20));
  EXPECT_THAT(Keys(), ElementsAre("default/c"));
  ASSERT_EQ(replica_->goes_on.size(), 2u);
  deleted("c", gone);
  Run(seconds(1));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_THAT(replica_->goes_on, ElementsAre(false, false, true));
}

TEST_F(FeedUncachedTest, ARevisionIsCompleteWhenTheNextOneComes) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b"}) Put(name);
  Start();
  server_.SetDeaf(true);
  const Revision first = Delete("a");
  const Revision second = Delete("b");
  SendDeleted("a", first);
  Run(milliseconds(10));
  EXPECT_THAT(Keys(), SizeIs(2));
  SendDeleted("b", second);
  Run(milliseconds(10));
  EXPECT_THAT(Keys(), ElementsAre("default/b"));
  Run(milliseconds(60));
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(FeedUncachedTest, WhatNeverSeemsCompleteIsPublishedAllTheSame) {
  Begin(EventsType(), {.uncached = true});
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) {
    Put("e" + std::to_string(i));
    keys.push_back("default/e" + std::to_string(i));
  }
  Start();
  server_.SetDeaf(true);
  const Revision gone = server_.DeleteTogether(type_.id, keys);
  for (int i = 0; i < 40; ++i) {
    SendDeleted("e" + std::to_string(i), gone);
    Run(milliseconds(30));
    EXPECT_TRUE(i > 30 || Keys().size() == 100u) << i;
  }
  EXPECT_LT(Keys().size(), 70u);
}

TEST_F(FeedUncachedTest, HalfARevisionWaitsForTheNextStream) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b"}) Put(name);
  Start();
  Run(seconds(10));
  server_.SetDeaf(true);
  SendDeleted("a", server_.DeleteTogether(type_.id, {"default/a", "default/b"}));
  Run(milliseconds(1));
  server_.SetHang(true);
  server_.CutStreams(false);
  Run(seconds(1));
  EXPECT_THAT(Keys(), SizeIs(2)) << "nobody has seen a part of it";
  server_.SetDeaf(false);
  server_.SetHang(false);
  Run(seconds(10));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(replica_->batches.back().size(), 2u);
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

TEST_F(FeedUncachedTest, HalfARevisionIsNeverSeenWhereAListComesInstead) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b", "c"}) Put(name);
  Start();
  Run(seconds(10));
  server_.SetDeaf(true);
  SendDeleted("a", server_.DeleteTogether(type_.id, {"default/a", "default/b"}));
  Run(milliseconds(1));
  server_.Touch();
  server_.Compact(type_.id);
  server_.SetDeaf(false);
  server_.CutStreams(false);
  Run(seconds(10));
  EXPECT_THAT(Keys(), ElementsAre("default/c"));
  EXPECT_THAT(replica_->batches, ElementsAre(IsEmpty(), SizeIs(2)));
  EXPECT_EQ(feed_->counters().resyncs, 1u);
}

TEST_F(FeedUncachedTest, ADeafStreamIsFoundOutByAList) {
  BeginDeaf();
  Run(seconds(60));
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
  Run(minutes(2));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
  EXPECT_EQ(feed_->counters().watches, 2u);
  EXPECT_EQ(feed_->counters().resyncs, 0u);
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
}

TEST_F(FeedUncachedTest, AProofThatDoesNotFitTheMemoryIsTriedAgainLater) {
  BeginDeaf();
  MemoryBudget::Share others(budget_);
  others.Set(budget_->max_bytes() - budget_->held_bytes());
  const size_t before = server_.Count("limit=10000");
  Run(seconds(200));
  EXPECT_EQ(server_.Count("limit=10000"), before + 1);
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  others.Set(0);
  Run(seconds(30));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

TEST_F(FeedUncachedTest, AStreamThatHasNothingToBringIsProvedAndSoCanBeResumed) {
  Begin(EventsType(), {.uncached = true});
  Put("a");
  Start();
  for (int i = 0; i < 6; ++i) {
    const Revision elsewhere = server_.Touch();
    Run(seconds(275));
    EXPECT_EQ(cache_.revision(), elsewhere) << "it says so";
    server_.Compact(type_.id);
  }
  server_.CutStreams(false);
  Run(seconds(30));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(feed_->counters().resyncs, 0u);
  EXPECT_LE(server_.Count("limit=10000"), 10u);
}

TEST_F(FeedUncachedTest, AQuietStreamThatCannotBeResumedIsListedAnew) {
  BeginDeaf();
  server_.Compact(type_.id);
  Run(minutes(3));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
  EXPECT_EQ(feed_->counters().resyncs, 1u);
  EXPECT_THAT(Events(), ElementsAre("ADDED default/b 102"));
}

TEST_F(FeedUncachedTest, KeysThatShareARevisionAreAllDeliveredOverACut) {
  Begin(EventsType(), {.uncached = true});
  for (const char* name : {"a", "b", "c"}) Put(name);
  Start();
  Run(seconds(10));
  // The stream dies between two events of one revision.
  server_.SetDeaf(true);
  server_.DeleteTogether(type_.id, {"default/a", "default/b", "default/c"});
  const auto& gone = server_.history(type_.id);
  SendDeleted("a", gone.back().after.revision);
  Run(milliseconds(60));
  ASSERT_THAT(Keys(), ElementsAre("default/b", "default/c"));
  server_.SetDeaf(false);
  server_.CutStreams(false);
  Run(seconds(1));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

}  // namespace
}  // namespace weir
