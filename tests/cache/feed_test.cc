#include "tests/cache/feed_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST_F(FeedTest, ListsPageByPageAndWatchesFromTheListsRevision) {
  Begin(Pods(), {.page_size = 2});
  for (const char* name : {"c", "a", "e", "b", "d"}) Put(name);
  Start();

  ASSERT_EQ(server_.requests().size(), 4u);
  EXPECT_EQ(server_.requests()[0], "/api/v1/pods?limit=2");
  EXPECT_THAT(server_.requests()[1], HasSubstr("/api/v1/pods?limit=2&continue="));
  EXPECT_THAT(
      server_.requests()[3],
      HasSubstr("/api/v1/pods?allowWatchBookmarks=true&resourceVersion=105&timeoutSeconds="));
  EXPECT_THAT(server_.requests()[3], HasSubstr("&watch=true"));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(cache_.revision(), Revision{105});
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b", "default/c", "default/d", "default/e"));
}

TEST_F(FeedTest, PagesThatExpireMeanwhileAreListedAnew) {
  Begin(Pods(), {.page_size = 1});
  Put("a");
  Put("b");
  feed_->Start();
  home_.RunOne();  // The first page is on its way.
  server_.Compact(type_.id);
  Run(seconds(2));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
}

TEST_F(FeedTest, BuiltInTypesHaveATypePrefixAndUntypedItems) {
  server_.SetWarning("299 - \"old\"");
  Begin(Pods());
  Put("a");
  Start();
  const TypeForm& form = *cache_.snapshot().form;
  EXPECT_EQ(form.list_kind, "PodList");
  EXPECT_EQ(form.type_prefix, R"("kind":"Pod","apiVersion":"v1",)");
  EXPECT_FALSE(form.typed_items);
  EXPECT_EQ(form.warning, "299 - \"old\"");
}

TEST_F(FeedTest, CustomResourcesHaveTypedItemsEvenWhenThereAreNone) {
  Begin(CronTabs(), {.custom = true});
  Start();
  EXPECT_TRUE(cache_.snapshot().form->typed_items);
  EXPECT_EQ(cache_.snapshot().form->type_prefix, "");
  Put("a");
  Run();
  EXPECT_THAT(Events(), ElementsAre("ADDED default/a 101"));
}

TEST_F(FeedTest, EventsOfAnUnexpectedFormAreListedAnewAndThenUnderstood) {
  // Nothing said that it is a custom resource, and an empty list does not show it.
  Begin(CronTabs(), {.custom = false});
  server_.Serve(CronTabs(), true);
  Start();
  EXPECT_FALSE(cache_.snapshot().form->typed_items);
  Put("a");
  Run(seconds(10));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_TRUE(cache_.snapshot().form->typed_items);
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
}

TEST_F(FeedTest, EventsThatAreReadableTogetherAreOneBatch) {
  Begin(Pods());
  Start();
  const size_t before = replica_->batches.size();
  Put("a");
  Put("b");
  Delete("a");
  Run();
  ASSERT_EQ(replica_->batches.size(), before + 1);
  EXPECT_THAT(replica_->batches.back(),
              ElementsAre("ADDED default/a 101", "ADDED default/b 102", "DELETED default/a 103"));
}

TEST_F(FeedTest, StreamThatBreaksInsideAFrameIsResumedWithoutLossAfterAProbe) {
  Begin(Pods());
  Start();
  Put("a");
  Run(seconds(10));
  server_.ClearRequests();
  server_.CutStreams(true);
  Put("b");
  Run(seconds(1));

  ASSERT_EQ(server_.requests().size(), 2u);
  EXPECT_EQ(server_.requests()[0], "/api/v1/pods?limit=1");
  EXPECT_THAT(server_.requests()[1], HasSubstr("resourceVersion=101&"));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_THAT(Events(), ElementsAre("ADDED default/a 101", "ADDED default/b 102"));
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

TEST_F(FeedTest, StreamThatEndsCleanlyNeverLooksBroken) {
  Begin(Pods());
  Start();
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.EndStreams();
  while (home_.RunOne()) EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_TRUE(feed_->streaming());
  EXPECT_EQ(replica_->resets, resets);
}

TEST_F(FeedTest, ExpiredStreamIsResynchronisedByTheDifference) {
  Begin(Pods());
  Put("a");
  Put("b");
  Start();
  Run(seconds(10));
  server_.CutStreams(false);
  server_.Touch();
  Delete("a");
  Put("c");
  server_.Compact(type_.id);
  Run(seconds(1));

  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(feed_->counters().resyncs, 1u);
  EXPECT_EQ(cache_.revision(), server_.revision());
  EXPECT_THAT(Keys(), ElementsAre("default/b", "default/c"));
  EXPECT_THAT(Events(), ElementsAre(HasSubstr("DELETED default/a"), "ADDED default/c 105"));
}

TEST_F(FeedTest, StrictResynchronisationEndsAllWatches) {
  Begin(Pods(), {.strict_resync = true});
  Put("a");
  Start();
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.CutStreams(false);
  Put("b");
  server_.Compact(type_.id);
  Run(seconds(1));
  EXPECT_GT(replica_->resets, resets);
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
}

TEST_F(FeedTest, RestoredEtcdIsNoticedBeforeTheWatchIsResumed) {
  Begin(Pods());
  Put("a");
  const Revision old = server_.revision();
  Start();
  Put("b");
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.Restore(old);
  Run(seconds(1));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(cache_.revision(), old);
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
  EXPECT_GT(replica_->resets, resets);
}

TEST_F(FeedTest, RefusedListIsForwardedAndAskedAgainAfterAMinute) {
  Begin(Pods());
  server_.AnswerAlways(type_.id, 403);
  Start();
  EXPECT_EQ(cache_.state(), CacheState::kRefused);
  EXPECT_THAT(feed_->reason(), HasSubstr("403"));
  Run(seconds(55));
  EXPECT_EQ(server_.requests().size(), 1u);
  server_.AnswerAlways(type_.id, 0);
  Run(seconds(70));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_THAT(feed_->reason(), IsEmpty());
}

TEST_F(FeedTest, MissingTypeIsReported) {
  Begin(Pods());
  server_.AnswerAlways(type_.id, 404);
  Start();
  EXPECT_EQ(listener_.missing, 1);
}

TEST_F(FeedTest, RefusalsOfARestartingServerDoNotEndWatches) {
  Begin(Pods());
  Put("a");
  Start();
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.AnswerAlways(type_.id, 403);
  server_.CutStreams(false);
  Run(seconds(20));
  EXPECT_EQ(cache_.state(), CacheState::kBroken);
  server_.AnswerAlways(type_.id, 0);
  Run(seconds(30));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(replica_->resets, resets);
}

TEST_F(FeedTest, RefusalsThatLastEndWatches) {
  Begin(Pods());
  Put("a");
  Start();
  Run(seconds(10));
  server_.AnswerAlways(type_.id, 401);
  server_.CutStreams(false);
  Run(seconds(90));
  EXPECT_EQ(cache_.state(), CacheState::kRefused);
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(FeedTest, RetryAfterIsHonoured) {
  Begin(Pods());
  server_.FailNext(1, 429, 7);
  Start();
  Run(milliseconds(6900));
  EXPECT_EQ(server_.requests().size(), 1u);
  Run(milliseconds(200));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
}

TEST_F(FeedTest, FailuresAreAnsweredByEverLongerPauses) {
  Begin(Pods());
  server_.FailNext(1000, 500);
  Start();
  EXPECT_EQ(cache_.state(), CacheState::kStarting);
  Run(minutes(10));
  // Eight doublings, then one every 15 to 30 seconds.
  EXPECT_LT(server_.requests().size(), 50u);
  EXPECT_GT(server_.requests().size(), 20u);
}

TEST_F(FeedTest, WatchThatAlwaysEndsAtOnceIsNoTightLoop) {
  Begin(Pods());
  Start();
  server_.ClearRequests();
  for (int i = 0; i < 600; ++i) {
    server_.EndStreams();
    Run(milliseconds(100));
  }
  EXPECT_LT(server_.requests().size(), 40u);
}

TEST_F(FeedTest, RevisionThatIsNoNumberIsForwardedForGood) {
  Begin(Pods());
  server_.SetRevisionText("abc");
  Start();
  EXPECT_EQ(cache_.state(), CacheState::kRefused);
  server_.SetRevisionText("");
  Run(minutes(10));
  EXPECT_EQ(cache_.state(), CacheState::kRefused);
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(FeedTest, ObjectsBeyondTheMemoryBudgetAreForwarded) {
  Begin(Pods(), {}, 10000);
  for (int i = 0; i < 200; ++i) Put("pod-" + std::to_string(i));
  Start();
  EXPECT_EQ(cache_.state(), CacheState::kRefused);
  EXPECT_THAT(feed_->reason(), HasSubstr("memory"));
  EXPECT_EQ(budget_->held_bytes(), 0u);
}

TEST_F(FeedTest, WhileOthersGiveUpMemoryAListIsTriedAgain) {
  Begin(Pods(), {}, 10000);
  for (int i = 0; i < 200; ++i) Put("pod-" + std::to_string(i));
  listener_.others_give_up = 2;
  Start();
  EXPECT_EQ(feed_->state(), Feed::State::kWaiting);
  EXPECT_EQ(cache_.state(), CacheState::kStarting);
  EXPECT_EQ(budget_->held_bytes(), 0u);
  Run(seconds(30));
  EXPECT_EQ(feed_->state(), Feed::State::kRefused);
  EXPECT_EQ(feed_->counters().lists, 3u);
  EXPECT_EQ(listener_.memory_short, 3);
}

TEST_F(FeedTest, ResynchronisationOfALargeCacheNeedsNoSecondCopy) {
  Begin(Pods(), {}, 100000);
  for (int i = 0; i < 100; ++i)
    Put("pod-" + std::to_string(i), {.labels = {{"filler", std::string(300, 'x')}}});
  Start();
  ASSERT_EQ(cache_.state(), CacheState::kSynced);
  ASSERT_GT(budget_->held_bytes(), 50000u);
  Run(seconds(10));
  server_.CutStreams(false);
  Put("one-more");
  server_.Compact(type_.id);
  Run(seconds(1));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(feed_->counters().resyncs, 1u);
}

TEST_F(FeedTest, RepeatedEventMakesAResynchronisationThatNobodySees) {
  Begin(Pods());
  Start();
  Put("a");
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.RepeatLastEvent(type_.id);
  Run(seconds(1));
  EXPECT_EQ(feed_->counters().resyncs, 1u);
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_THAT(Events(), ElementsAre("ADDED default/a 101"));
  EXPECT_EQ(replica_->resets, resets);
}

TEST_F(FeedTest, EventThatComesAfterLaterOnesEndsAllWatches) {
  Begin(Pods());
  Start();
  Run(seconds(10));
  const size_t resets = replica_->resets;
  server_.SetChaos({.reorder = 1});
  server_.SetDeaf(true);
  Put("a");
  Put("b");
  server_.SetDeaf(false);
  Run();
  server_.SetChaos({});
  Run(seconds(1));
  EXPECT_GT(replica_->resets, resets);
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b"));
}

TEST_F(FeedTest, BytesThatAreNoEventAreListedAnew) {
  Begin(Pods());
  Put("a");
  Start();
  Run(seconds(10));
  server_.SendRaw(type_.id, "<html>\n");
  Run(seconds(1));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  EXPECT_EQ(feed_->counters().resyncs, 1u);
}

TEST_F(FeedTest, HastenedStreamBringsABookmarkInAboutASecond) {
  Begin(Pods());
  Put("a");
  Start();
  Run(seconds(10));
  const Revision now = server_.Touch();
  Run(seconds(2));
  ASSERT_LT(feed_->proven(), now);

  feed_->Hasten();
  feed_->Hasten();  // One is on its way.
  Run(milliseconds(1800));
  EXPECT_EQ(feed_->proven(), now);
  EXPECT_EQ(server_.Count("timeoutSeconds=3&"), 1u);
  EXPECT_EQ(server_.open_streams(), 1u);

  // Nobody asks any more: a standing watch again, without a probe.
  server_.ClearRequests();
  Run(seconds(5));
  EXPECT_EQ(server_.requests().size(), 1u);
  EXPECT_THAT(server_.requests()[0], Not(HasSubstr("timeoutSeconds=3&")));
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
}

TEST_F(FeedTest, StreamsThatReplaceEachOtherAreOneSuccess) {
  Begin(Pods());
  Put("a");
  Start();
  server_.FailNext(7, 0);
  server_.CutStreams(false);
  Run(minutes(2));
  // Readers that want the latest state keep every stream short.
  for (int i = 0; i < 10; ++i) {
    server_.Touch();
    feed_->Hasten();
    Run(seconds(2));
  }
  server_.CutStreams(false);
  Put("b");
  Run(milliseconds(50));
  EXPECT_THAT(Keys(), ElementsAre("default/a", "default/b")) << "no pause for failures of long ago";
}

TEST_F(FeedTest, StreamThatReplacesAnotherSkipsWhatCameAlready) {
  Begin(Pods());
  server_.SetChaos({.latency = milliseconds(50)});
  Start();
  Run(seconds(10));
  feed_->Hasten();
  for (int i = 0; i < 40; ++i) {
    Put("pod-" + std::to_string(i));
    Run(milliseconds(5));
  }
  Run(seconds(10));
  EXPECT_EQ(Events().size(), 40u);
  EXPECT_EQ(feed_->counters().resyncs, 0u);
}

TEST_F(FeedTest, FailedAttemptToHastenLeavesTheRunningStream) {
  Begin(Pods());
  Start();
  Run(seconds(10));
  server_.FailNext(1, 500);
  feed_->Hasten();
  Run();
  EXPECT_EQ(cache_.state(), CacheState::kSynced);
  Put("a");
  Run();
  EXPECT_THAT(Events(), ElementsAre("ADDED default/a 101"));
}

TEST_F(FeedTest, StreamThatFallsSilentIsReplaced) {
  Begin(Pods());
  server_.SetChaos({.deaf = 1});
  Start();
  server_.SetChaos({});
  ASSERT_TRUE(feed_->streaming());
  Put("a");
  Run(minutes(4));
  EXPECT_THAT(Keys(), ElementsAre("default/a"));
}

TEST_F(FeedTest, StreamOfAQuietClusterIsLeftAlone) {
  Begin(Pods());
  Start();
  Run(minutes(4));
  EXPECT_EQ(feed_->counters().watches, 1u);
  EXPECT_LE(feed_->counters().probes, 8u);
}

TEST_F(FeedTest, StoppedFeedAsksNothingMore) {
  Begin(Pods());
  Start();
  feed_->Stop();
  server_.ClearRequests();
  Put("a");
  Run(minutes(30));
  EXPECT_THAT(server_.requests(), IsEmpty());
  EXPECT_EQ(home_.timers(), 0u);
}

}  // namespace
}  // namespace weir
