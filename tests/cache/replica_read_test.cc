#include <optional>

#include "tests/cache/replica_fixture.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = ReadSpec::Kind;

class ReplicaReadTest : public ReplicaTest {
 protected:
  struct Read {
    std::optional<ReadOutcome> outcome;
    uint64_t revision = 0;
    uint64_t objects = 0;
    std::unique_ptr<ReadTicket> ticket;
    bool waits() const { return ticket != nullptr && !outcome; }
  };
  std::unique_ptr<Read> Ask(Kind kind, uint64_t revision = 0) {
    auto read = std::make_unique<Read>();
    read->ticket = replica().Read({kind, Revision{revision}},
                                  [r = read.get()](ReadOutcome outcome, Snapshot snapshot) {
                                    EXPECT_FALSE(r->outcome) << "called twice";
                                    r->outcome = outcome;
                                    r->revision = snapshot.revision.value;
                                    r->objects = snapshot.tree.sums().objects;
                                  });
    return read;
  }
};

TEST_F(ReplicaReadTest, AnyStateIsAnsweredInsideTheCallAlsoWhileTheStreamIsDown) {
  log_.Seed("n/a", 90);
  Sync();
  for (const CacheState state : {CacheState::kSynced, CacheState::kBroken}) {
    replica().OnState(state);
    const auto read = Ask(Kind::kAny);
    EXPECT_EQ(read->outcome, ReadOutcome::kServe);
    EXPECT_EQ(read->ticket, nullptr);
    EXPECT_EQ(read->revision, 100u);
    EXPECT_EQ(read->objects, 1u);
  }
  EXPECT_THAT(proofs_->asked, IsEmpty());
}

TEST_F(ReplicaReadTest, ARevisionThatIsHereIsAnsweredAndOneToComeWaitsForItsBatch) {
  Sync();
  EXPECT_EQ(Ask(Kind::kNotOlderThan, 100)->outcome, ReadOutcome::kServe);
  const auto read = Ask(Kind::kNotOlderThan, 102);
  EXPECT_THAT(proofs_->asked, ElementsAre(102));
  log_.Put("n/a");
  Publish();
  EXPECT_TRUE(read->waits());
  log_.Put("n/b");
  Publish();
  EXPECT_EQ(read->outcome, ReadOutcome::kServe);
  EXPECT_EQ(read->revision, 102u);
  EXPECT_EQ(worker_.timers(), 0u);
}

TEST_F(ReplicaReadTest, ARevisionThatDoesNotComeInThreeSecondsIsForwarded) {
  Sync();
  const auto read = Ask(Kind::kNotOlderThan, 999);
  worker_.Advance(2999ms);
  EXPECT_TRUE(read->waits());
  worker_.Advance(1ms);
  EXPECT_EQ(read->outcome, ReadOutcome::kForward);
  proofs_->answers[0](true);  // Too late: nothing happens.
}

TEST_F(ReplicaReadTest, WithoutAProofForARevisionItIsForwardedAtOnce) {
  Sync();
  const auto read = Ask(Kind::kNotOlderThan, 999);
  proofs_->answers[0](false);
  EXPECT_EQ(read->outcome, ReadOutcome::kForward);
}

TEST_F(ReplicaReadTest, AnExactStateInsideABatchHasThatRevision) {
  Sync();
  log_.Put("n/a").Put("n/b").Put("n/c");
  Publish();
  const auto inside = Ask(Kind::kExact, 102);
  EXPECT_EQ(inside->outcome, ReadOutcome::kServe);
  EXPECT_EQ(inside->revision, 102u);
  EXPECT_EQ(inside->objects, 2u);
  EXPECT_EQ(Ask(Kind::kExact, 100)->objects, 0u);
  EXPECT_EQ(Ask(Kind::kExact, 103)->objects, 3u);
  EXPECT_EQ(Ask(Kind::kExact, 99)->outcome, ReadOutcome::kForward);
}

TEST_F(ReplicaReadTest, AnExactStateToComeIsThatStateAndNotTheNewest) {
  Sync();
  const auto read = Ask(Kind::kExact, 101);
  EXPECT_TRUE(read->waits());
  log_.Put("n/a").Put("n/b");
  Publish();
  EXPECT_EQ(read->outcome, ReadOutcome::kServe);
  EXPECT_EQ(read->revision, 101u);
  EXPECT_EQ(read->objects, 1u);
}

TEST_F(ReplicaReadTest, AMostRecentReadIsAnsweredByTheStateAtItsProof) {
  Sync();
  const auto read = Ask(Kind::kMostRecent);
  EXPECT_THAT(proofs_->asked, ElementsAre(0));
  log_.Put("n/a");
  Publish();
  EXPECT_TRUE(read->waits());
  proofs_->answers[0](true);
  EXPECT_EQ(read->outcome, ReadOutcome::kServe);
  EXPECT_EQ(read->revision, 101u);
}

TEST_F(ReplicaReadTest, AMostRecentReadWithoutProofIsForwardedAndBrokenLeavesThatToTheSource) {
  Sync();
  replica().OnState(CacheState::kBroken);
  const auto read = Ask(Kind::kMostRecent);
  EXPECT_TRUE(read->waits());
  proofs_->answers[0](false);
  EXPECT_EQ(read->outcome, ReadOutcome::kForward);
}

TEST_F(ReplicaReadTest, AProofThatIsReadyAnswersInsideTheCall) {
  Sync();
  proofs_->at_once = true;
  const auto read = Ask(Kind::kMostRecent);
  EXPECT_EQ(read->outcome, ReadOutcome::kServe);
  EXPECT_EQ(read->ticket, nullptr);
}

TEST_F(ReplicaReadTest, BeforeTheFirstSyncReadsWaitForItAndAreThenAnsweredEachInItsWay) {
  const auto any = Ask(Kind::kAny);
  const auto recent = Ask(Kind::kMostRecent);
  EXPECT_TRUE(any->waits());
  EXPECT_THAT(proofs_->asked, IsEmpty());
  Sync();
  EXPECT_EQ(any->outcome, ReadOutcome::kServe);
  EXPECT_TRUE(recent->waits());  // The LIST may be older than the read: it needs a proof.
  EXPECT_THAT(proofs_->asked, ElementsAre(0));
  proofs_->answers[0](true);
  EXPECT_EQ(recent->outcome, ReadOutcome::kServe);
}

TEST_F(ReplicaReadTest, BeforeTheFirstSyncOnlyABoundedNumberWaitsAndNotForEver) {
  const auto first = Ask(Kind::kAny);
  auto second = Ask(Kind::kNotOlderThan, 5);
  EXPECT_EQ(Ask(Kind::kAny)->outcome, ReadOutcome::kTooManyRequests);
  second->ticket.reset();  // A client that left makes room.
  const auto third = Ask(Kind::kAny);
  EXPECT_TRUE(third->waits());
  worker_.Advance(10s);
  EXPECT_EQ(first->outcome, ReadOutcome::kForward);
  EXPECT_EQ(third->outcome, ReadOutcome::kForward);
  EXPECT_FALSE(second->outcome);
}

TEST_F(ReplicaReadTest, ARefusedCacheForwardsAllThatWaitAndAllThatCome) {
  const auto before = Ask(Kind::kAny);
  replica().OnState(CacheState::kRefused);
  EXPECT_EQ(before->outcome, ReadOutcome::kForward);
  EXPECT_EQ(Ask(Kind::kAny)->outcome, ReadOutcome::kForward);
  EXPECT_EQ(Ask(Kind::kMostRecent)->outcome, ReadOutcome::kForward);
  Sync();
  EXPECT_EQ(Ask(Kind::kAny)->outcome, ReadOutcome::kServe);
}

TEST_F(ReplicaReadTest, ADroppedTicketIsNeverCalledBack) {
  Sync();
  auto waiting = Ask(Kind::kNotOlderThan, 101);
  auto proving = Ask(Kind::kMostRecent);
  waiting->ticket.reset();
  proving->ticket.reset();
  log_.Put("n/a");
  Publish();
  for (auto& answer : proofs_->answers) answer(true);
  worker_.Advance(30s);
  EXPECT_FALSE(waiting->outcome);
  EXPECT_FALSE(proving->outcome);
}

TEST_F(ReplicaReadTest, AfterAnInvalidationReadsWaitForTheNewHistory) {
  Sync();
  replica().OnReset({}, CacheState::kStarting);
  const auto any = Ask(Kind::kAny);
  EXPECT_TRUE(any->waits());
  log_ = LogBuilder(40);
  Sync();
  EXPECT_EQ(any->outcome, ReadOutcome::kServe);
  EXPECT_EQ(any->revision, 40u);
}

TEST_F(ReplicaReadTest, TicketsMayOutliveTheReplica) {
  Sync();
  const auto read = Ask(Kind::kMostRecent);
  replica_.reset();
  proofs_->answers[0](true);
  EXPECT_EQ(read->outcome, ReadOutcome::kServe);
}

TEST_F(ReplicaReadTest, ACallbackMayReadAgainAndDropOtherTickets) {
  Sync();
  auto other = Ask(Kind::kNotOlderThan, 101);
  std::unique_ptr<ReadTicket> again;
  int calls = 0;
  const auto ticket =
      replica().Read({Kind::kNotOlderThan, Revision{101}}, [&](ReadOutcome, Snapshot) {
        ++calls;
        other->ticket.reset();
        again = replica().Read({Kind::kNotOlderThan, Revision{102}},
                               [&](ReadOutcome, Snapshot) { ++calls; });
      });
  log_.Put("n/a");
  Publish();
  log_.Put("n/b");
  Publish();
  EXPECT_EQ(calls, 2);
}

TEST_F(ReplicaReadTest, IndexesAreCountedAmongTheCaches) {
  limits_.indexes = {{false, "spec.nodeName"}};
  limits_.budget = std::make_shared<MemoryBudget>(1 << 20);
  log_.Seed("a/x", 90, {.node = "n1"});
  Sync();
  EXPECT_EQ(limits_.budget->held_bytes(), 0u);
  EXPECT_TRUE(replica().Candidates(Wants("", "", "spec.nodeName=n1")));
  const size_t one = limits_.budget->held_bytes();
  EXPECT_GT(one, 0u);
  log_.Put("a/y", {.node = "n1"});
  Publish();
  EXPECT_GT(limits_.budget->held_bytes(), one);
  replica_.reset();
  EXPECT_EQ(limits_.budget->held_bytes(), 0u);
}

}  // namespace
}  // namespace weir
