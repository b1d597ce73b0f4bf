#include "cache/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/fakes/log_builder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Begins at revision 100 with nothing in it.
class EventLogTest : public ::testing::Test {
 protected:
  EventLogTest() { log_.Reset(make_.Begin()); }

  void Append(uint64_t floor = 1) { log_.Append(make_.Cut(), floor); }
  uint64_t SequenceAfter(uint64_t revision) {
    const EventLog::Start start = log_.StartAfter(Revision{revision});
    EXPECT_TRUE(start.covered);
    return start.sequence;
  }
  // 0: it is covered.
  uint64_t RefusedFor(uint64_t revision) {
    const EventLog::Start start = log_.StartAfter(Revision{revision});
    return start.covered ? 0 : start.oldest.value;
  }
  std::vector<uint64_t> RevisionsFrom(uint64_t sequence) {
    std::vector<uint64_t> revisions;
    for (auto at = log_.At(sequence); at.Valid(); at.Next()) {
      EXPECT_EQ(at.sequence(), sequence + revisions.size());
      revisions.push_back(at.event().revision.value);
    }
    return revisions;
  }
  std::vector<std::string> KeysAt(uint64_t revision) {
    const auto state = log_.StateAt(Revision{revision});
    if (!state) return {"none"};
    EXPECT_EQ(state->revision.value, revision);
    std::vector<std::string> keys;
    for (auto at = state->tree.Begin(); at.Valid(); at.Next()) {
      keys.push_back(std::string(at->key()) + "@" + std::to_string(at->revision().value));
    }
    return keys;
  }

  LogBuilder make_;
  EventLog log_;
};

TEST_F(EventLogTest, AFreshLogCanBeWatchedFromTheRevisionOfItsListButNotFromBelow) {
  EXPECT_EQ(RefusedFor(99), 100u);
  EXPECT_EQ(SequenceAfter(100), log_.end_sequence());
  EXPECT_FALSE(log_.StartAfter(Revision{100}).ahead);
  EXPECT_TRUE(log_.StartAfter(Revision{101}).ahead);
}

TEST_F(EventLogTest, ARevisionInsideABatchStartsInsideIt) {
  make_.Put("n/a").Put("n/b").Put("n/c");
  Append();
  make_.Reach(110);
  Append();
  make_.Put("n/d");
  Append();
  EXPECT_THAT(RevisionsFrom(SequenceAfter(100)), ElementsAre(101, 102, 103, 111));
  EXPECT_THAT(RevisionsFrom(SequenceAfter(102)), ElementsAre(103, 111));
  EXPECT_THAT(RevisionsFrom(SequenceAfter(105)), ElementsAre(111));
  EXPECT_THAT(RevisionsFrom(SequenceAfter(111)), IsEmpty());
}

TEST_F(EventLogTest, BatchesBelowTheFloorAreGoneAndTheOldestRevisionIsThatOfTheLastEventDropped) {
  make_.Put("n/a").Put("n/b");
  Append();
  make_.Put("n/c");
  Append();
  make_.PutAt("n/d", 110);
  Append(3);
  EXPECT_EQ(log_.begin_sequence(), 3u);
  EXPECT_EQ(RefusedFor(101), 102u);
  EXPECT_THAT(RevisionsFrom(SequenceAfter(102)), ElementsAre(103, 110));
}

TEST_F(EventLogTest, TheNewestBatchStaysWhateverTheFloor) {
  make_.Put("n/a");
  Append(100);
  EXPECT_EQ(log_.batches(), 1u);
  EXPECT_EQ(log_.revision().value, 101u);
}

TEST_F(EventLogTest, BookmarksDoNotPileUp) {
  for (uint64_t r = 101; r < 300; ++r) {
    make_.Reach(r);
    Append();
  }
  EXPECT_EQ(log_.batches(), 2u);
  EXPECT_EQ(log_.revision().value, 299u);
  EXPECT_EQ(SequenceAfter(100), log_.end_sequence());
  EXPECT_THAT(KeysAt(250), IsEmpty());
}

TEST_F(EventLogTest, GapsWithoutEventsLeaveAfterAnHour) {
  for (uint64_t r = 101; r < 200; ++r) {
    make_.now += std::chrono::minutes(2);
    make_.Reach(r);
    log_.Append(make_.Cut(true, Revision{r - 1}), 1);
  }
  EXPECT_LT(log_.batches(), 33u);
  EXPECT_GT(RefusedFor(100), 160u);
}

TEST_F(EventLogTest, AWatchCannotStartInsideTheGapOfAResynchronisation) {
  make_.Put("n/a");
  Append();
  make_.DeleteAt("n/a", 102).PutAt("n/b", 150).Reach(160);
  log_.Append(make_.Cut(true, Revision{101}), 1);
  EXPECT_THAT(RevisionsFrom(SequenceAfter(101)), ElementsAre(102, 150));
  EXPECT_EQ(RefusedFor(102), 160u);
  EXPECT_EQ(RefusedFor(159), 160u);
  EXPECT_EQ(SequenceAfter(160), log_.end_sequence());
  EXPECT_THAT(KeysAt(155), ElementsAre("none"));
  EXPECT_THAT(KeysAt(101), ElementsAre("n/a@101"));
}

TEST_F(EventLogTest, AfterAResynchronisationIsDroppedItsWholeGapIsTooOld) {
  make_.PutAt("n/b", 150).Reach(160);
  log_.Append(make_.Cut(true, Revision{100}), 1);
  make_.Put("n/c");
  Append(2);
  EXPECT_EQ(RefusedFor(155), 160u);
  EXPECT_EQ(RefusedFor(160), 0u);
  EXPECT_TRUE(log_.InsideGap(Revision{155})) << "it is remembered";
  for (const uint64_t outside : {99u, 100u, 160u, 161u})
    EXPECT_FALSE(log_.InsideGap(Revision{outside})) << outside;
}

TEST_F(EventLogTest, OfManyGapsTheOldestAreRememberedAsOne) {
  for (uint64_t r = 110; r <= 100 + 20 * 10; r += 10) {
    make_.PutAt("n/b", r - 5).Reach(r);
    log_.Append(make_.Cut(true, Revision{r - 8}), 1);
  }
  make_.Put("n/c");
  Append(make_.next_sequence() - 1);
  for (uint64_t r = 110; r <= 100 + 20 * 10; r += 10)
    EXPECT_TRUE(log_.InsideGap(Revision{r - 5})) << r;
  EXPECT_FALSE(log_.InsideGap(Revision{295 + 6}));
}

TEST_F(EventLogTest, ALogThatWasJoinedLateDoesNotTrustWhatMayShareItsFirstRevision) {
  make_.Put("n/a");
  EventLog late;
  late.Reset({make_.Cut()});
  EXPECT_FALSE(late.StartAfter(Revision{100}).covered);
  EXPECT_TRUE(late.StartAfter(Revision{101}).covered);
}

TEST_F(EventLogTest, AStateBetweenTwoBatchesIsTheOneBelow) {
  make_.Put("n/a");
  Append();
  make_.PutAt("n/b", 110);
  Append();
  EXPECT_THAT(KeysAt(99), ElementsAre("none"));
  EXPECT_THAT(KeysAt(100), IsEmpty());
  EXPECT_THAT(KeysAt(101), ElementsAre("n/a@101"));
  EXPECT_THAT(KeysAt(109), ElementsAre("n/a@101"));
  EXPECT_THAT(KeysAt(110), ElementsAre("n/a@101", "n/b@110"));
  EXPECT_THAT(KeysAt(111), ElementsAre("none"));
}

TEST_F(EventLogTest, AStateInsideABatchIsRebuiltFromTheSnapshotBelow) {
  make_.Put("n/a").Put("n/b").Put("n/a").Delete("n/b");
  Append();
  EXPECT_THAT(KeysAt(101), ElementsAre("n/a@101"));
  EXPECT_THAT(KeysAt(102), ElementsAre("n/a@101", "n/b@102"));
  EXPECT_THAT(KeysAt(103), ElementsAre("n/a@103", "n/b@102"));
  EXPECT_THAT(KeysAt(104), ElementsAre("n/a@103"));
}

TEST_F(EventLogTest, AStateWhoseSnapshotWasNotKeptIsRebuiltOverSeveralBatches) {
  std::deque<BatchRef> log = make_.Begin();
  log.push_back(make_.Put("n/a").Cut(false));
  log.push_back(make_.Put("n/b").Cut(false));
  log.push_back(make_.Put("n/c").Put("n/d").Cut(true));
  log_.Reset(log);
  EXPECT_THAT(KeysAt(102), ElementsAre("n/a@101", "n/b@102"));
  EXPECT_THAT(KeysAt(103), ElementsAre("n/a@101", "n/b@102", "n/c@103"));
  log.pop_front();
  log_.Reset(log);
  EXPECT_THAT(KeysAt(102), ElementsAre("none"));
}

TEST_F(EventLogTest, ARebuildThatWouldTakeTooLongIsRefused) {
  for (size_t i = 0; i <= EventLog::kMaxReplay + 1; ++i) make_.Put("n/a");
  Append();
  EXPECT_THAT(KeysAt(100 + EventLog::kMaxReplay), ElementsAre("n/a@2100"));
  EXPECT_THAT(KeysAt(101 + EventLog::kMaxReplay), ElementsAre("none"));
}

TEST_F(EventLogTest, ASnapshotThatHasOnlyPartOfItsRevisionIsFollowedByTheRest) {
  make_.Put("n/a").Put("n/b");
  Append();
  make_.DeleteAt("n/a", 103);
  Append();
  const Snapshot half = log_.newest();
  make_.DeleteAt("n/b", 103);  // One lease took both.
  Append();
  const Snapshot whole = log_.newest();
  EXPECT_THAT(RevisionsFrom(log_.StartAfter(half).sequence), ElementsAre(103));
  EXPECT_THAT(RevisionsFrom(log_.StartAfter(whole).sequence), IsEmpty());
}

TEST_F(EventLogTest, NobodyResumesFromARevisionThatCameInParts) {
  make_.Put("n/a").Put("n/b");
  Append();
  make_.DeleteAt("n/a", 103);
  Append();
  EXPECT_EQ(RefusedFor(103), 0u);
  make_.DeleteAt("n/b", 103);
  Append();
  EXPECT_EQ(RefusedFor(103), 104u);
  EXPECT_THAT(RevisionsFrom(SequenceAfter(102)), ElementsAre(103, 103));
  make_.PutAt("n/c", 105);
  Append();
  EXPECT_EQ(RefusedFor(103), 104u);
  EXPECT_THAT(RevisionsFrom(SequenceAfter(104)), ElementsAre(105));
}

TEST_F(EventLogTest, ALogThatIsJoinedKnowsWhatCameInParts) {
  std::deque<BatchRef> log = make_.Begin();
  log.push_back(make_.Put("n/a").Put("n/b").DeleteAt("n/a", 103).Cut());
  log.push_back(make_.DeleteAt("n/b", 103).Cut());
  log_.Reset(log);
  EXPECT_EQ(RefusedFor(103), 104u);
  EXPECT_EQ(RefusedFor(102), 0u);
}

TEST_F(EventLogTest, EachRevisionThatCameInPartsIsKnown) {
  make_.Put("n/a").Put("n/b").Put("n/c").Put("n/d").Put("n/e");
  Append();
  make_.DeleteAt("n/a", 110);
  Append();
  make_.DeleteAt("n/b", 110);
  Append();
  make_.DeleteAt("n/c", 120);
  Append();
  make_.DeleteAt("n/d", 120);
  Append();
  make_.DeleteAt("n/e", 120).Put("n/f");
  Append();
  EXPECT_EQ(RefusedFor(110), 111u);
  EXPECT_EQ(RefusedFor(120), 121u);
  EXPECT_FALSE(log_.CameInParts(Revision{105}));
  EXPECT_FALSE(log_.CameInParts(Revision{111}));
  EXPECT_FALSE(log_.CameInParts(Revision{121}));
}

TEST_F(EventLogTest, ARevisionWhosePartsAreForgottenIsTooOld) {
  make_.Put("n/a").Put("n/b");
  Append();
  make_.DeleteAt("n/a", 110);
  Append();
  make_.DeleteAt("n/b", 110);
  Append();
  for (uint64_t revision = 111; revision < 115; ++revision) {
    make_.PutAt("n/c", revision);
    Append(make_.next_sequence() - 1);
    EXPECT_GE(RefusedFor(110), 111u) << revision;
  }
}

TEST_F(EventLogTest, ASnapshotFromAnotherHistoryIsNotCovered) {
  EXPECT_FALSE(log_.StartAfter(LogBuilder(500).snapshot()).covered);
}

}  // namespace
}  // namespace weir
