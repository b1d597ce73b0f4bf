#include "tests/cache/replica_fixture.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReplicaBookmarkTest : public ReplicaTest {
 protected:
  std::unique_ptr<Client> WatchFor(Duration time, Filter filter = {}) {
    WatchSpec spec;
    spec.filter = std::move(filter);
    spec.from = replica().snapshot().revision;
    spec.bookmarks = true;
    spec.deadline = worker_.Now() + time;
    return Watch(std::move(spec));
  }
  void ReachAndPublish(uint64_t revision) {
    log_.Reach(revision);
    Publish();
  }
};

TEST_F(ReplicaBookmarkTest, OnceAMinuteTheRevisionIsNamedThoughItHasNotMoved) {
  Sync();
  const auto client = WatchFor(1h);
  ReachAndPublish(110);
  worker_.Advance(58s);
  EXPECT_THAT(client->Take(), IsEmpty());
  worker_.Advance(3s);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 110"));
  worker_.Advance(2min);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 110", "BOOKMARK 110"));
  ReachAndPublish(120);
  worker_.Advance(61s);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 120"));
}

TEST_F(ReplicaBookmarkTest, OneFollowsAnEventOfTheWatchItself) {
  Sync();
  const auto client = WatchFor(1h);
  log_.Put("n/a");
  Publish();
  worker_.Advance(61s);
  EXPECT_THAT(client->Take(), ElementsAre("ADDED n/a 101", "BOOKMARK 101"));
}

TEST_F(ReplicaBookmarkTest, EventsThatTheFilterHidesMoveTheBookmark) {
  Sync();
  const auto client = WatchFor(1h, Wants("quiet"));
  log_.Put("n/a");
  Publish();
  worker_.Advance(61s);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 101"));
}

TEST_F(ReplicaBookmarkTest, OneComesTwoToThreeSecondsBeforeTheEndAndNoneLater) {
  Sync();
  const auto client = WatchFor(10s);
  ReachAndPublish(130);
  worker_.Advance(6900ms);
  EXPECT_THAT(client->Take(), IsEmpty());
  worker_.Advance(1200ms);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 130"));
  ReachAndPublish(140);
  worker_.Advance(2s);
  EXPECT_THAT(client->Take(), IsEmpty());
}

TEST_F(ReplicaBookmarkTest, AWatchOfTwoSecondsHasNoTimeForOne) {
  Sync();
  const auto client = WatchFor(2s);
  EXPECT_EQ(worker_.timers(), 0u);
}

TEST_F(ReplicaBookmarkTest, OnlyThoseWhoAskedGetThem) {
  Sync();
  const auto client = WatchFrom(100);
  ReachAndPublish(110);
  worker_.Advance(10min);
  EXPECT_THAT(client->Take(), IsEmpty());
}

TEST_F(ReplicaBookmarkTest, OfWhatUpstreamKeepsNoCacheForThereIsTheMarkOnly) {
  log_.Seed("a/x", 90);
  Sync();
  WatchSpec spec = InitialSpec();
  spec.mark_only = true;
  spec.deadline = worker_.Now() + 1h;
  const auto client = Watch(std::move(spec));
  EXPECT_THAT(client->Take(), ElementsAre("ADDED a/x 90", "BOOKMARK! 100"));
  ReachAndPublish(110);
  worker_.Advance(2h);
  EXPECT_THAT(client->Take(), IsEmpty());
}

TEST_F(ReplicaBookmarkTest, AfterTheInitialEventsAPlainOneComesWithinASecondIfThereIsNews) {
  Sync();
  WatchSpec spec = InitialSpec(Wants("quiet"));
  spec.deadline = worker_.Now() + 1h;
  const auto client = Watch(std::move(spec));
  const auto still = Watch(InitialSpec(Wants("quiet")));
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK! 100"));
  worker_.Advance(500ms);
  log_.Put("n/a");
  Publish();
  worker_.Advance(1s);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 101"));
}

TEST_F(ReplicaBookmarkTest, WithoutNewsTheFirstAfterTheInitialEventsComesAMinuteLater) {
  Sync();
  WatchSpec spec = InitialSpec();
  spec.deadline = worker_.Now() + 1h;
  const auto client = Watch(std::move(spec));
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK! 100"));
  worker_.Advance(58s);
  EXPECT_THAT(client->Take(), IsEmpty());
  worker_.Advance(5s);
  EXPECT_THAT(client->Take(), ElementsAre("BOOKMARK 100"));
}

TEST_F(ReplicaBookmarkTest, AFullSinkGetsNoneAndOneThatFillsUpByItCatchesUp) {
  Sync();
  const auto full = WatchFor(1h), filling = WatchFor(1h);
  full->sink.room = 1;
  log_.Put("n/a");
  Publish();
  full->Take(), filling->Take();
  ReachAndPublish(110);
  filling->sink.room = 1;
  worker_.Advance(61s);
  EXPECT_THAT(full->Take(), IsEmpty());
  EXPECT_THAT(filling->Take(), ElementsAre("BOOKMARK 110"));
  log_.Put("n/b");
  Publish();
  EXPECT_THAT(filling->Take(), IsEmpty());
  filling->Drain();
  full->Drain();
  EXPECT_THAT(filling->Take(), ElementsAre("ADDED n/b 111"));
  EXPECT_THAT(full->Take(), ElementsAre("ADDED n/b 111"));
}

TEST_F(ReplicaBookmarkTest, AThousandWatchersShareOneFrameAndOneTimer) {
  Sync();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(WatchFor(1h, Wants("ns" + std::to_string(i))));
  EXPECT_EQ(worker_.timers(), 1u);
  ReachAndPublish(110);
  worker_.Advance(61s);
  EXPECT_EQ(replica().counters().bookmarks, 1000u);
  EXPECT_EQ(replica().counters().bookmarks_encoded, 1u);
  EXPECT_EQ(clients[0]->sink.all, clients[999]->sink.all);
  EXPECT_EQ(clients[0]->sink.all, R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1",)"
                                  R"("metadata":{"resourceVersion":"110"}}})"
                                  "\n");
}

TEST_F(ReplicaBookmarkTest, AnIdleReplicaWithoutWatchersHasNoTimer) {
  Sync();
  auto client = WatchFor(1h);
  client.reset();
  worker_.Advance(2min);
  EXPECT_EQ(worker_.timers(), 0u);
}

TEST_F(ReplicaBookmarkTest, ABookmarkMayDestroyOtherWatchersThatAreDue) {
  Sync();
  const auto first = WatchFor(1h);
  auto second = WatchFor(1h);
  const auto third = WatchFor(1h);
  first->sink.on_write = [&] { second.reset(); };
  ReachAndPublish(110);
  worker_.Advance(61s);
  EXPECT_THAT(first->Take(), SizeIs(1));
  EXPECT_THAT(third->Take(), SizeIs(1));
}

TEST_F(ReplicaBookmarkTest, AnEndedWatchGetsNone) {
  Sync();
  const auto client = WatchFor(1h);
  replica().OnReset({}, CacheState::kStarting);
  EXPECT_THAT(client->Take(), SizeIs(1));
  log_ = LogBuilder(200);
  Sync();
  worker_.Advance(2min);
  EXPECT_THAT(client->Take(), IsEmpty());
}

}  // namespace
}  // namespace weir
