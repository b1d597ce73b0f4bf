#include "proxy/auth/review_flights.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_reviews.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using Kind = ReviewOutcome::Kind;

// Two workers that ask; an answer's body is the reason of its outcome.
class ReviewFlightsTest : public ::testing::Test {
 protected:
  struct Side {
    ManualExecutor executor;
    FakeReviews reviews;
    std::vector<std::string> heard;
  };

  bool Ask(Side& side, const std::string& key, std::string owner = {}, bool familiar = false) {
    ReviewFlights::Question question;
    question.key = key;
    question.path = "/p";
    question.owner = std::move(owner);
    question.familiar = familiar;
    question.body = [key] { return "body of " + key; };
    question.judge = [this](const StatusOr<ReviewAnswer>& answer, TimePoint) {
      ++judged_;
      ReviewOutcome outcome;
      if (answer.ok() && answer->status == 201) {
        outcome.kind = Kind::kPositive;
        outcome.reason = answer->body;
      }
      return outcome;
    };
    return flights_->Ask(
        std::move(question), side.executor, side.reviews, [&side, key](ReviewOutcome outcome) {
          side.heard.push_back(key + "=" +
                               (outcome.kind == Kind::kPositive ? outcome.reason : "unavailable"));
        });
  }
  void Run() { ManualExecutor::RunReady({&a_.executor, &b_.executor}); }
  void Advance(Duration by) { ManualExecutor::Advance({&a_.executor, &b_.executor}, by); }
  void Make(size_t in_flight, size_t waiting) {
    flights_ = std::make_unique<ReviewFlights>(
        ReviewFlights::Limits{.max_in_flight = in_flight, .max_waiting = waiting});
  }

  Side a_, b_;
  int judged_ = 0;
  std::unique_ptr<ReviewFlights> flights_ = std::make_unique<ReviewFlights>(
      ReviewFlights::Limits{.max_in_flight = 10, .max_waiting = 100});
};

TEST_F(ReviewFlightsTest, EqualQuestionsShareOneReviewAndEachHearsOnItsOwnWorker) {
  ASSERT_TRUE(Ask(a_, "k"));
  ASSERT_TRUE(Ask(b_, "k"));
  ASSERT_TRUE(Ask(a_, "k"));
  ASSERT_EQ(a_.reviews.pending().size(), 1u);
  EXPECT_EQ(a_.reviews.pending()[0].body, "body of k");
  EXPECT_EQ(a_.reviews.pending()[0].path, "/p");
  EXPECT_THAT(b_.reviews.pending(), IsEmpty());

  a_.reviews.Answer("yes");
  EXPECT_THAT(a_.heard, IsEmpty());
  a_.executor.RunReady();
  EXPECT_THAT(a_.heard, ElementsAre("k=yes", "k=yes"));
  EXPECT_THAT(b_.heard, IsEmpty());
  b_.executor.RunReady();
  EXPECT_THAT(b_.heard, ElementsAre("k=yes"));
  EXPECT_EQ(judged_, 1);
  EXPECT_EQ(a_.executor.timers() + b_.executor.timers(), 0u);
}

TEST_F(ReviewFlightsTest, AQuestionAskedAfterTheAnswerIsANewOne) {
  ASSERT_TRUE(Ask(a_, "k"));
  a_.reviews.Answer("1");
  ASSERT_TRUE(Ask(b_, "k"));
  EXPECT_EQ(b_.reviews.pending().size(), 1u);
}

TEST_F(ReviewFlightsTest, WhoFindsNoSlotIsServedByItsOwnClientWhenOneFrees) {
  Make(1, 100);
  ASSERT_TRUE(Ask(a_, "1"));
  ASSERT_TRUE(Ask(b_, "2"));
  ASSERT_TRUE(Ask(a_, "3"));
  EXPECT_THAT(b_.reviews.pending(), IsEmpty());
  a_.reviews.Answer("x");
  Run();
  EXPECT_EQ(flights_->in_flight(), 1u);
  ASSERT_EQ(b_.reviews.pending().size(), 1u);
  EXPECT_THAT(a_.reviews.pending(), IsEmpty());
  b_.reviews.Answer("y");
  Run();
  ASSERT_EQ(a_.reviews.pending().size(), 1u);
  a_.reviews.Answer("z");
  Run();
  EXPECT_THAT(a_.heard, ElementsAre("1=x", "3=z"));
  EXPECT_THAT(b_.heard, ElementsAre("2=y"));
  EXPECT_EQ(flights_->in_flight(), 0u);
  EXPECT_EQ(flights_->waiting(), 0u);
}

TEST_F(ReviewFlightsTest, TooManyWhoWaitAreTurnedAway) {
  Make(1, 3);
  for (const char* key : {"1", "2", "2"}) ASSERT_TRUE(Ask(a_, key));
  EXPECT_FALSE(Ask(a_, "1"));
  EXPECT_FALSE(Ask(b_, "4"));
  a_.reviews.Answer("x");
  Run();
  EXPECT_TRUE(Ask(b_, "4"));
}

TEST_F(ReviewFlightsTest, AStormOfStrangersLeavesTheFamiliarTheirTurnAndTheirRoom) {
  Make(1, 3);
  for (const char* key : {"s1", "s2", "s3"}) ASSERT_TRUE(Ask(a_, key));
  EXPECT_FALSE(Ask(a_, "s4"));
  ASSERT_TRUE(Ask(b_, "known", {}, true));
  a_.reviews.Answer("x");
  Run();
  EXPECT_THAT(a_.reviews.pending(), IsEmpty()) << "s2 asked earlier";
  ASSERT_EQ(b_.reviews.pending().size(), 1u);
  b_.reviews.Answer("y");
  Run();
  EXPECT_THAT(b_.heard, ElementsAre("known=y"));
  EXPECT_EQ(a_.reviews.pending().size(), 1u);
  EXPECT_EQ(flights_->waiting(), 2u);
}

TEST_F(ReviewFlightsTest, AFamiliarCrowdLeavesStrangersTheirTurn) {
  Make(1, 100);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Ask(a_, std::to_string(i), {}, true));
  ASSERT_TRUE(Ask(b_, "stranger"));
  for (int i = 0; i < 4; ++i) {
    a_.reviews.Answer("x");
    Run();
    if (!b_.reviews.pending().empty()) break;
  }
  EXPECT_EQ(b_.reviews.pending().size(), 1u);
}

TEST_F(ReviewFlightsTest, WhoHasGivenUpInTheQueueIsNoLongerInIt) {
  Make(1, 100);
  ASSERT_TRUE(Ask(a_, "first"));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Ask(b_, std::to_string(i)));
  Advance(20s);
  EXPECT_EQ(flights_->waiting(), 0u);
  ASSERT_TRUE(Ask(a_, "next"));
  EXPECT_EQ(a_.reviews.pending().back().body, "body of next") << "at once";
}

TEST_F(ReviewFlightsTest, AnOwnerHasAShareOfTheQuestionsAndMayJoinAny) {
  flights_ = std::make_unique<ReviewFlights>(
      ReviewFlights::Limits{.max_in_flight = 1, .max_waiting = 100, .max_questions_each = 2});
  ASSERT_TRUE(Ask(a_, "1", "greedy"));
  ASSERT_TRUE(Ask(a_, "2", "greedy"));
  EXPECT_FALSE(Ask(a_, "3", "greedy"));
  EXPECT_TRUE(Ask(b_, "2", "greedy")) << "costs no review";
  EXPECT_TRUE(Ask(b_, "4", "modest"));
  a_.reviews.Answer("x");
  Run();
  EXPECT_TRUE(Ask(a_, "3", "greedy"));
}

TEST_F(ReviewFlightsTest, AFailureThatMayPassIsTriedAgain) {
  ASSERT_TRUE(Ask(a_, "k"));
  a_.reviews.Fail(503);
  Run();
  EXPECT_THAT(a_.reviews.pending(), IsEmpty());
  Advance(200ms);
  ASSERT_EQ(a_.reviews.pending().size(), 1u);
  a_.reviews.Answer(Unavailable("connection refused"));
  Advance(500ms);
  ASSERT_EQ(a_.reviews.pending().size(), 1u);
  a_.reviews.Answer("yes");
  Run();
  EXPECT_THAT(a_.heard, ElementsAre("k=yes"));
}

TEST_F(ReviewFlightsTest, AFailureThatStaysIsToldAfterTheLastTry) {
  ASSERT_TRUE(Ask(a_, "k"));
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(a_.reviews.pending().size(), 1u) << i;
    a_.reviews.Fail(500);
    Advance(1s);
  }
  EXPECT_THAT(a_.heard, ElementsAre("k=unavailable"));
  EXPECT_THAT(a_.reviews.pending(), IsEmpty());
  EXPECT_EQ(judged_, 1);
}

TEST_F(ReviewFlightsTest, ARefusalOrATimeoutIsNotTriedAgain) {
  ASSERT_TRUE(Ask(a_, "1"));
  a_.reviews.Fail(403);
  ASSERT_TRUE(Ask(a_, "2"));
  a_.reviews.Answer(DeadlineExceeded("10 s"));
  Run();
  EXPECT_THAT(a_.heard, ElementsAre("1=unavailable", "2=unavailable"));
  EXPECT_EQ(a_.reviews.count(), 2u);
}

TEST_F(ReviewFlightsTest, NobodyWaitsForAWorkerThatIsGone) {
  Make(1, 100);
  ASSERT_TRUE(Ask(a_, "k"));
  ASSERT_TRUE(Ask(b_, "k"));
  ASSERT_TRUE(Ask(b_, "other"));
  a_.executor.Shutdown();
  b_.executor.Advance(15s);
  EXPECT_THAT(b_.heard, ElementsAre("k=unavailable", "other=unavailable"));
  // The slot is free again, whatever still comes for "other".
  EXPECT_EQ(flights_->in_flight(), 0u);
  ASSERT_TRUE(Ask(b_, "k"));
  ASSERT_EQ(b_.reviews.pending().size(), 2u);
  b_.reviews.Answer("late");
  b_.reviews.Answer("yes");
  b_.executor.RunReady();
  EXPECT_EQ(b_.heard.back(), "k=yes");
}

TEST_F(ReviewFlightsTest, ASlotOfADeadWorkerIsTakenBackWhenItIsNeeded) {
  Make(1, 100);
  ASSERT_TRUE(Ask(a_, "k"));
  a_.executor.Shutdown();
  b_.executor.Advance(17s);
  ASSERT_TRUE(Ask(b_, "other"));
  EXPECT_EQ(b_.reviews.pending().size(), 1u);
}

TEST_F(ReviewFlightsTest, AnAnswerAfterTheEndIsNeitherToldNorRemembered) {
  ASSERT_TRUE(Ask(a_, "k"));
  Advance(15s);
  EXPECT_THAT(a_.heard, ElementsAre("k=unavailable"));
  a_.reviews.Answer("late");
  Run();
  EXPECT_EQ(a_.heard.size(), 1u);
  EXPECT_EQ(judged_, 0);
}

TEST_F(ReviewFlightsTest, AnAnswerAfterItsOwnDestructionIsDropped) {
  ASSERT_TRUE(Ask(a_, "k"));
  flights_.reset();
  a_.reviews.Answer("late");
  Advance(1min);
  EXPECT_EQ(judged_, 0);
  EXPECT_THAT(a_.heard, IsEmpty());
}

}  // namespace
}  // namespace weir
