#include "cache/ready_blocks.h"
#include "cache/watcher.h"
#include "tests/cache/replica_fixture.h"
#include "tests/fakes/gunzip.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::SizeIs;

using ReplicaWatchTest = ReplicaTest;

constexpr size_t kVisit = size_t{128} << 10;

TEST_F(ReplicaWatchTest, EventsComeAsTheyHappenWithTheBytesOfUpstream) {
  Sync();
  const auto client = WatchFrom(100);
  EXPECT_THAT(client->Take(), IsEmpty());
  const PodShape shape{.node = "n1", .labels = R"("app":"web")"};
  log_.Put("n/a", shape);
  Publish();
  log_.Put("n/a", {.node = "n2"});
  Publish();
  log_.Delete("n/a");
  Publish();
  EXPECT_THAT(client->sink.writes,
              ElementsAre(LogBuilder::Frame("ADDED", "n/a", 101, shape),
                          LogBuilder::Frame("MODIFIED", "n/a", 102, {.node = "n2"}),
                          LogBuilder::Frame("DELETED", "n/a", 103, {.node = "n2"})));
}

TEST_F(ReplicaWatchTest, WhatLeavesASelectorIsDeletedWithItsOldStateAndTheNewRevision) {
  Sync();
  const PodShape web{.node = "n1", .labels = R"("app":"web")"}, api{.labels = R"("app":"api")"};
  log_.PutAt("n/a", 999, web);  // The new revision has a digit more.
  Publish();
  const auto client = WatchFrom(999, Wants("", "app=web"));
  const auto other = WatchFrom(999, Wants("", "app=api"));
  log_.Put("n/a", api);
  Publish();
  EXPECT_EQ(client->sink.all, LogBuilder::Frame("DELETED", "n/a", 1000, web));
  EXPECT_EQ(other->sink.all, LogBuilder::Frame("ADDED", "n/a", 1000, api));
}

TEST_F(ReplicaWatchTest, TheSnapshotComesFirstInKeyOrderThenTheMarkThenWhatFollows) {
  log_.Seed("a-b/x", 91).Seed("a/x", 90).Seed("default/nginx-1", 92);
  Sync();
  const auto client = Begin(InitialSpec());
  log_.Put("a/y");
  Publish();
  EXPECT_THAT(client->Take(), IsEmpty()) << "nothing before the first OnWritable()";
  client->Drain();
  EXPECT_THAT(client->sink.writes, SizeIs(1));
  EXPECT_THAT(client->Take(),
              ElementsAre("ADDED a-b/x 91", "ADDED a/x 90", "ADDED default/nginx-1 92",
                          "BOOKMARK! 100", "ADDED a/y 101"));
  log_.Put("a/z");
  Publish();
  EXPECT_THAT(client->Take(), ElementsAre("ADDED a/z 102"));
}

TEST_F(ReplicaWatchTest, WithoutBookmarksThereIsNoMark) {
  log_.Seed("a/x", 90);
  Sync();
  EXPECT_THAT(Watch(InitialSpec({}, false))->Take(), ElementsAre("ADDED a/x 90"));
}

TEST_F(ReplicaWatchTest, InitialEventsAreFilteredByScopeNameAndSelectors) {
  log_.Seed("a/x", 90, {.node = "n1"}).Seed("a/y", 91, {.labels = R"("app":"web")"});
  log_.Seed("a.b/x", 92).Seed("b/x", 93, {.node = "n1"});
  Sync();
  const auto sees = [&](Filter filter) { return Watch(InitialSpec(filter, false))->Take(); };
  EXPECT_THAT(sees(Wants("a")), ElementsAre("ADDED a/x 90", "ADDED a/y 91"));
  EXPECT_THAT(sees(Wants("a", "app=web")), ElementsAre("ADDED a/y 91"));
  EXPECT_THAT(sees(Wants("a", "", "metadata.name=x")), ElementsAre("ADDED a/x 90"));
  EXPECT_THAT(sees(Wants("a", "", "metadata.name=none")), IsEmpty());
  EXPECT_THAT(sees(Wants("", "", "metadata.name=x")),
              ElementsAre("ADDED a.b/x 92", "ADDED a/x 90", "ADDED b/x 93"));
  EXPECT_THAT(sees(Wants("", "", "spec.nodeName=n1")), ElementsAre("ADDED a/x 90", "ADDED b/x 93"));
}

TEST_F(ReplicaWatchTest, ALargeSnapshotIsWrittenInVisitsAndSurvivesWhatHappensMeanwhile) {
  const PodShape big{.note = std::string(10000, 'x')};
  for (int i = 100; i < 200; ++i) log_.Seed("n/p" + std::to_string(i), 50, big);
  Sync();
  const auto client = Begin(InitialSpec());
  client->Drain(1);
  EXPECT_THAT(client->sink.writes, SizeIs(1));
  EXPECT_THAT(client->sink.writes[0].size(), AllOf(Ge(kVisit - 11000), Le(kVisit)));
  for (int i = 100; i < 200; ++i) log_.Delete("n/p" + std::to_string(i));
  Publish();
  client->Drain();
  for (const std::string& write : client->sink.writes) EXPECT_LE(write.size(), kVisit);
  const auto events = client->Take();
  ASSERT_THAT(events, SizeIs(201));
  EXPECT_EQ(events[99], "ADDED n/p199 50");
  EXPECT_EQ(events[100], "BOOKMARK! 100");
  EXPECT_EQ(events[101], "DELETED n/p100 101");
  EXPECT_EQ(events[200], "DELETED n/p199 200");
}

TEST_F(ReplicaWatchTest, CompressedInitialEventsAreMadeOnceForAllWatchers) {
  const PodShape big{.note = std::string(10000, 'x')};
  for (int i = 100; i < 900; ++i) log_.Seed("n/p" + std::to_string(i), 50, big);
  for (int i = 0; i < 3; ++i)
    log_.Seed("n/web" + std::to_string(i), 50, {.labels = R"("app":"web")"});
  Sync();
  const auto plain = Watch(InitialSpec())->sink.all;
  const auto compressed = [&](Filter filter) {
    WatchSpec spec = InitialSpec(std::move(filter));
    spec.form.gzip_members = true;
    return Watch(std::move(spec))->sink.writes;
  };
  const auto joined = [](const std::vector<std::string>& writes) {
    std::string all;
    for (const std::string& write : writes) {
      EXPECT_EQ(Gunzip(write).back(), '\n') << "each write is whole members of whole frames";
      all += write;
    }
    return Gunzip(all);
  };
  const size_t before = ReadyBlocks::held_bytes();
  const auto first = compressed({});
  const size_t held = ReadyBlocks::held_bytes();
  EXPECT_GT(held, before);
  EXPECT_EQ(joined(first), plain);
  EXPECT_EQ(compressed({}), first);
  // Others share what they want whole.
  EXPECT_EQ(compressed(Wants("n")), first);
  const auto without = [&](std::string_view labels) { return Wants("", labels); };
  for (const char* const labels : {"app!=web", "!none", "app=web", "app"}) {
    EXPECT_EQ(joined(compressed(without(labels))), Watch(InitialSpec(without(labels)))->sink.all);
  }
  EXPECT_EQ(ReadyBlocks::held_bytes(), held);
}

TEST_F(ReplicaWatchTest, AnOldRevisionIsReplayedFromTheLogInOrderAndFiltered) {
  Sync();
  log_.Put("n/a").Put("m/b");
  Publish();
  log_.Put("n/c").Put("n/a");
  Publish();
  EXPECT_THAT(WatchFrom(101)->Take(),
              ElementsAre("ADDED m/b 102", "ADDED n/c 103", "MODIFIED n/a 104"));
  EXPECT_THAT(WatchFrom(100, Wants("n"))->Take(),
              ElementsAre("ADDED n/a 101", "ADDED n/c 103", "MODIFIED n/a 104"));
}

TEST_F(ReplicaWatchTest, WithoutARevisionItStartsAtTheStateOfTheCall) {
  Sync();
  log_.Put("n/a");
  Publish();
  const auto client = Begin({});
  log_.Put("n/b");
  Publish();
  client->Drain();
  EXPECT_THAT(client->Take(), ElementsAre("ADDED n/b 102"));
}

TEST_F(ReplicaWatchTest, ARevisionOlderThanTheLogGetsOneErrorNamingTheOldestThatWorks) {
  Sync();
  log_.Put("n/a").Put("n/b");
  Publish();
  log_.Put("n/c");
  floor_ = 3;
  Publish();
  const auto old = WatchFrom(101);
  EXPECT_EQ(old->sink.all,
            R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},)"
            R"-("status":"Failure","message":"too old resource version: 101 (102)",)-"
            R"("reason":"Expired","code":410}})"
            "\n");
  EXPECT_TRUE(old->sink.ended);
  EXPECT_FALSE(old->watcher->OnWritable());
  EXPECT_THAT(WatchFrom(102)->Take(), ElementsAre("ADDED n/c 103"));
}

TEST_F(ReplicaWatchTest, InsideTheGapOfAResynchronisationOnlyItsEndWorks) {
  Sync();
  const auto live = WatchFrom(100);
  log_.PutAt("n/a", 150).Reach(160);
  replica().OnBatch(log_.Cut(true, Revision{100}), 1);
  EXPECT_THAT(live->Take(), ElementsAre("ADDED n/a 150"));
  EXPECT_THAT(WatchFrom(130)->Take(), ElementsAre("ERROR too old resource version: 130 (160)"));
  EXPECT_THAT(WatchFrom(100)->Take(), ElementsAre("ADDED n/a 150"));
  EXPECT_FALSE(WatchFrom(160)->sink.ended);
}

TEST_F(ReplicaWatchTest, ARevisionToComeIsAwaitedInSilence) {
  Sync();
  const auto client = WatchFrom(150);
  log_.PutAt("n/a", 120);
  Publish();
  log_.PutAt("n/b", 149).PutAt("n/c", 150).PutAt("n/d", 151);
  Publish();
  log_.PutAt("n/e", 152);
  Publish();
  EXPECT_THAT(client->Take(), ElementsAre("ADDED n/d 151", "ADDED n/e 152"));
}

TEST_F(ReplicaWatchTest, ARevisionToComeThatIsJumpedOverByAResynchronisationIsTooOld) {
  log_.Seed("n/a", 90);
  Sync();
  const auto inside = WatchFrom(150);
  const auto beyond = WatchFrom(170);
  log_.DeleteAt("n/a", 101).Reach(160);
  replica().OnBatch(log_.Cut(true, Revision{100}), 1);
  EXPECT_THAT(inside->Take(), ElementsAre("ERROR too old resource version: 150 (160)"));
  EXPECT_TRUE(inside->sink.ended);
  EXPECT_THAT(beyond->Take(), IsEmpty());
  EXPECT_FALSE(beyond->sink.ended);
}

TEST_F(ReplicaWatchTest, ABatchIsOneWritePerWatcherThatWantsSomethingAndNoneForTheOthers) {
  Sync();
  const auto everything = WatchFrom(100), same = WatchFrom(100);
  const auto node = WatchFrom(100, Wants("", "", "spec.nodeName=n1"));
  const auto idle = WatchFrom(100, Wants("", "", "spec.nodeName=n2"));
  for (int i = 0; i < 20; ++i) log_.Put("n/p" + std::to_string(i), {.node = i < 5 ? "n1" : "n3"});
  const WatchCounters before = replica().counters();
  Publish();
  const WatchCounters after = replica().counters();
  EXPECT_THAT(everything->sink.writes, SizeIs(1));
  EXPECT_THAT(same->sink.writes, SizeIs(1));
  EXPECT_THAT(node->sink.writes, SizeIs(1));
  EXPECT_THAT(idle->sink.writes, IsEmpty());
  EXPECT_EQ(after.writes - before.writes, 3u);
  EXPECT_EQ(after.gathers - before.gathers, 2u);           // One per view.
  EXPECT_EQ(after.evaluations - before.evaluations, 25u);  // 20 of all, 5 of n1, none of n2.
  EXPECT_EQ(after.frames - before.frames, 45u);
  EXPECT_THAT(node->Take(), SizeIs(5));
}

TEST_F(ReplicaWatchTest, ASelectorIsEvaluatedOncePerEventHoweverManyWatchersHaveIt) {
  Sync();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(WatchFrom(100, Wants("n", "app!=web")));
  const uint64_t before = replica().counters().evaluations;
  log_.Put("n/a");
  Publish();
  EXPECT_EQ(replica().counters().evaluations - before, 1u);
  EXPECT_THAT(clients[99]->Take(), ElementsAre("ADDED n/a 101"));
}

TEST_F(ReplicaWatchTest, AThousandNodesWatchingTheirPodsCostAnEventOneEvaluation) {
  Sync();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 1000; ++i) {
    clients.push_back(WatchFrom(100, Wants("", "", "spec.nodeName=n" + std::to_string(i))));
  }
  const uint64_t before = replica().counters().evaluations;
  log_.Put("n/a", {.node = "n7"});
  Publish();
  EXPECT_EQ(replica().counters().evaluations - before, 1u);
  EXPECT_THAT(clients[7]->Take(), ElementsAre("ADDED n/a 101"));
}

TEST_F(ReplicaWatchTest, ALargeBatchIsWrittenInPiecesOfAVisit) {
  Sync();
  const auto fast = WatchFrom(100), slow = WatchFrom(100);
  slow->sink.room = 2;
  const PodShape big{.note = std::string(50000, 'x')};
  for (int i = 0; i < 10; ++i) log_.Put("n/p" + std::to_string(i), big);
  Publish();
  EXPECT_THAT(fast->sink.writes, SizeIs(5));
  for (const std::string& write : fast->sink.writes) EXPECT_LE(write.size(), kVisit);
  EXPECT_THAT(slow->sink.writes, SizeIs(2));
  slow->Drain();
  EXPECT_EQ(slow->sink.all, fast->sink.all);
}

TEST_F(ReplicaWatchTest, AFrameLargerThanAVisitIsWrittenAlone) {
  Sync();
  const auto live = WatchFrom(100);
  const PodShape huge{.note = std::string(300000, 'x')};
  log_.Put("n/a").Put("n/b", huge).Put("n/c");
  Publish();
  EXPECT_THAT(live->sink.writes, SizeIs(3));
  EXPECT_THAT(WatchFrom(100)->sink.writes, SizeIs(3));
}

TEST_F(ReplicaWatchTest, ASinkThatIsFullIsLeftAloneAndThenCatchesUpFromTheLog) {
  Sync();
  const auto slow = WatchFrom(100);
  slow->sink.room = 1;
  for (int i = 0; i < 5; ++i) {
    log_.Put("n/p" + std::to_string(i));
    Publish();
  }
  EXPECT_THAT(slow->Take(), ElementsAre("ADDED n/p0 101"));
  slow->Drain();
  EXPECT_THAT(slow->sink.writes, SizeIs(1));
  EXPECT_THAT(slow->Take(),
              ElementsAre("ADDED n/p1 102", "ADDED n/p2 103", "ADDED n/p3 104", "ADDED n/p4 105"));
  log_.Put("n/q");
  Publish();
  EXPECT_THAT(slow->Take(), ElementsAre("ADDED n/q 106"));
}

TEST_F(ReplicaWatchTest, CatchingUpTakesOneVisitAtATime) {
  Sync();
  const auto slow = WatchFrom(100);
  slow->sink.room = 1;
  const PodShape big{.note = std::string(50000, 'x')};
  for (int i = 0; i < 7; ++i) {
    log_.Put("n/p" + std::to_string(i), big);
    Publish();
  }
  slow->Take();
  slow->Drain(1);
  EXPECT_THAT(slow->Take(), ElementsAre("ADDED n/p1 102", "ADDED n/p2 103"));
  log_.Put("n/p7");
  Publish();
  EXPECT_THAT(slow->Take(), IsEmpty());
  slow->Drain();
  EXPECT_THAT(slow->Take(), SizeIs(5));
}

TEST_F(ReplicaWatchTest, ASinkThatIsFullForLongerThanTheLogIsToldSoWhenItDrains) {
  Sync();
  const auto slow = WatchFrom(100);
  slow->sink.room = 1;
  for (int i = 0; i < 5; ++i) {
    log_.Put("n/a");
    floor_ = log_.next_sequence() - 1;
    Publish();
  }
  EXPECT_THAT(slow->Take(), ElementsAre("ADDED n/a 101"));
  EXPECT_FALSE(slow->sink.ended);
  slow->Drain();
  EXPECT_THAT(slow->Take(), ElementsAre("ERROR too old resource version: 101 (103)"));
  EXPECT_TRUE(slow->sink.ended);
  EXPECT_EQ(replica().counters().expired, 1u);
}

TEST_F(ReplicaWatchTest, AQuietWatcherNeverExpires) {
  Sync();
  const auto quiet = WatchFrom(100, Wants("quiet"));
  for (int i = 0; i < 5; ++i) {
    log_.Put("n/a");
    floor_ = log_.next_sequence() - 1;
    Publish();
  }
  log_.Put("quiet/x");
  Publish();
  EXPECT_THAT(quiet->Take(), ElementsAre("ADDED quiet/x 106"));
}

TEST_F(ReplicaWatchTest, ANewHistoryEndsEveryWatchWith410) {
  Sync();
  const auto live = WatchFrom(100);
  const auto full = WatchFrom(100);
  const auto ahead = WatchFrom(500);
  const auto unstarted = Begin(InitialSpec());
  full->sink.room = 1;
  log_.Put("n/a");
  Publish();
  live->Take(), full->Take();
  log_ = LogBuilder(40);
  Sync();
  EXPECT_THAT(live->Take(), ElementsAre("ERROR too old resource version: 101 (40)"));
  EXPECT_TRUE(live->sink.ended);
  EXPECT_THAT(ahead->Take(), ElementsAre("ERROR too old resource version: 500 (40)"));
  EXPECT_THAT(full->Take(), IsEmpty());
  full->Drain();
  EXPECT_THAT(full->Take(), ElementsAre("ERROR too old resource version: 101 (40)"));
  unstarted->Drain();
  EXPECT_THAT(unstarted->Take(), ElementsAre("ERROR too old resource version: 100 (40)"));
  log_.Put("n/b");
  Publish();
  EXPECT_THAT(live->Take(), IsEmpty());
  EXPECT_EQ(replica().watcher_count(), 4u);
}

TEST_F(ReplicaWatchTest, ABrokenStreamEndsNoWatchAndARefusedOneEndsAllCleanly) {
  Sync();
  const auto client = WatchFrom(100);
  replica().OnState(CacheState::kBroken);
  EXPECT_FALSE(client->sink.ended);
  replica().OnState(CacheState::kSynced);
  log_.Put("n/a");
  Publish();
  EXPECT_THAT(client->Take(), ElementsAre("ADDED n/a 101"));
  replica().OnState(CacheState::kRefused);
  EXPECT_THAT(client->Take(), IsEmpty());
  EXPECT_TRUE(client->sink.ended);
}

TEST_F(ReplicaWatchTest, BeforeTheFirstSyncAWatchIsTooOld) {
  const auto client = WatchFrom(5);
  EXPECT_TRUE(client->sink.ended);
}

TEST_F(ReplicaWatchTest, AWriteMayDestroyOtherWatchersAndBeginNewOnes) {
  Sync();
  const auto first = WatchFrom(100);
  auto second = WatchFrom(100);
  auto other_view = WatchFrom(100, Wants("n"));
  const auto last = WatchFrom(100);
  std::unique_ptr<Client> begun;
  first->sink.on_write = [&] {
    second->watcher.reset();
    other_view->watcher.reset();
    if (!begun) begun = WatchFrom(101);
  };
  log_.Put("n/a");
  Publish();
  EXPECT_THAT(first->Take(), SizeIs(1));
  EXPECT_THAT(last->Take(), SizeIs(1));
  EXPECT_THAT(begun->Take(), IsEmpty());
  log_.Put("n/b");
  Publish();
  EXPECT_THAT(first->Take(), ElementsAre("ADDED n/b 102"));
  EXPECT_THAT(begun->Take(), ElementsAre("ADDED n/b 102"));
  EXPECT_EQ(replica().watcher_count(), 3u);
}

TEST_F(ReplicaWatchTest, ASinkThatDrainsInsideAnothersWriteGetsEachEventOnce) {
  Sync();
  const auto first = WatchFrom(100);
  const auto second = WatchFrom(100);
  const auto third = WatchFrom(100, Wants("n"));
  second->sink.room = third->sink.room = 1;
  log_.Put("n/a");
  Publish();
  first->sink.on_write = [&] {
    second->Drain();
    third->Drain();
  };
  log_.Put("n/b");
  Publish();
  for (const auto* client : {&first, &second, &third}) {
    EXPECT_THAT((*client)->Take(), ElementsAre("ADDED n/a 101", "ADDED n/b 102"));
  }
}

TEST_F(ReplicaWatchTest, ALongSearchInVainIsSpreadOverSeveralVisits) {
  for (size_t i = 0; i < 2 * CachedWatcher::kVisitScan; ++i) {
    log_.Seed("n/p" + std::to_string(i), 50);
  }
  log_.Seed("n/z", 60, {.node = "n1"});
  Sync();
  const auto client = Begin(InitialSpec(Wants("", "", "spec.nodeName=n1")));
  EXPECT_TRUE(client->watcher->OnWritable());
  EXPECT_TRUE(client->watcher->OnWritable());
  EXPECT_THAT(client->Take(), IsEmpty());
  EXPECT_FALSE(client->watcher->OnWritable());
  EXPECT_THAT(client->Take(), ElementsAre("ADDED n/z 60", "BOOKMARK! 100"));
}

TEST_F(ReplicaWatchTest, ALongReplayInVainIsSpreadOverSeveralVisits) {
  Sync();
  for (size_t i = 0; i < CachedWatcher::kVisitScan; ++i) log_.Put("n/a");
  log_.Put("n/b", {.node = "n1"});
  Publish();
  WatchSpec spec;
  spec.filter = Wants("", "", "spec.nodeName=n1");
  spec.from = Revision{100};
  const auto client = Begin(std::move(spec));
  EXPECT_TRUE(client->watcher->OnWritable());
  EXPECT_FALSE(client->watcher->OnWritable());
  EXPECT_THAT(client->Take(), SizeIs(1));
}

TEST_F(ReplicaWatchTest, WatchersMayOutliveTheReplica) {
  Sync();
  const auto client = WatchFrom(100);
  replica_.reset();
  EXPECT_FALSE(client->watcher->OnWritable());
}

}  // namespace
}  // namespace weir
