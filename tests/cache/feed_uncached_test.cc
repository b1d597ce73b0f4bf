// Feeds of events: no bookmarks, and keys that expire together share a revision.
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

using FeedUncachedTest = FeedTest;

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

TEST_F(FeedUncachedTest, AQuietStreamWithoutBookmarksIsProvedByAnother) {
  Begin(EventsType(), {.uncached = true});
  Put("a");
  server_.SetChaos({.deaf = 1});
  Start();
  server_.SetChaos({});
  Put("b");
  Run(seconds(60));
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
  Run(minutes(2));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
  EXPECT_EQ(feed_->counters().lists, 1u);
  // Quiet only here.
  server_.Touch();
  Run(minutes(4));
  EXPECT_LE(feed_->counters().watches, 6u);
  EXPECT_EQ(feed_->counters().lists, 1u);
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
}

TEST_F(FeedUncachedTest, AQuietStreamThatCannotBeProvedIsListedAnew) {
  Begin(EventsType(), {.uncached = true});
  Put("a");
  server_.SetChaos({.deaf = 1});
  Start();
  server_.SetChaos({});
  Put("b");
  server_.Compact(type_.id);
  Run(minutes(3));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
  EXPECT_EQ(feed_->counters().lists, 2u);
  EXPECT_THAT(Events(), ElementsAre("ADDED default/b 102"));
}

TEST_F(FeedUncachedTest, KeysThatShareARevisionAreAllDeliveredOverACut) {
  Begin(Leases(), {.uncached = true});
  for (const char* name : {"a", "b", "c"}) Put(name);
  Start();
  Run(seconds(10));
  // The stream dies between two events of one revision.
  server_.SetDeaf(true);
  server_.DeleteTogether(type_.id, {"default/a", "default/b", "default/c"});
  const auto& gone = server_.history(type_.id);
  server_.SendRaw(
      type_.id,
      R"({"type":"DELETED","object":{"kind":"Lease","apiVersion":"coordination.k8s.io/v1",)"
      R"("metadata":{"name":"a","namespace":"default","uid":"uid-1","resourceVersion":")" +
          std::to_string(gone.back().after.revision.value) + "\"}}}\n");
  Run(milliseconds(50));
  ASSERT_THAT(Keys(), ElementsAre("default/b", "default/c"));
  server_.SetDeaf(false);
  server_.CutStreams(false);
  Run(seconds(1));
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

}  // namespace
}  // namespace weir
