#include "tests/fakes/manual_executor.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

class ManualExecutorTest : public ::testing::Test {
 protected:
  Executor::Task Note(std::string what) {
    return [this, what] { seen_.push_back(what); };
  }

  ManualExecutor a_, b_;
  std::vector<std::string> seen_;
};

TEST_F(ManualExecutorTest, PostedTasksRunInOrderAndNeverInsideThePost) {
  a_.Post([this] {
    a_.Post(Note("posted by the first"));
    seen_.push_back("first");
  });
  a_.Post(Note("second"));
  EXPECT_TRUE(seen_.empty());

  EXPECT_EQ(a_.RunReady(), 3u);
  EXPECT_THAT(seen_, ElementsAre("first", "second", "posted by the first"));
}

TEST_F(ManualExecutorTest, TimersFireAtTheirTimesInOrder) {
  const TimePoint start = a_.Now();
  a_.After(2s, Note("two"));
  a_.After(1s, [this, start] {
    EXPECT_EQ(a_.Now(), start + 1s);
    seen_.push_back("one");
    a_.After(500ms, Note("one and a half"));
  });
  a_.Advance(3s);
  EXPECT_EQ(a_.Now(), start + 3s);
  EXPECT_THAT(seen_, ElementsAre("one", "one and a half", "two"));
}

TEST_F(ManualExecutorTest, ACancelledTimerNeverRuns) {
  const auto timer = a_.After(1s, Note("never"));
  a_.Cancel(timer);
  a_.Cancel(timer);
  a_.Cancel(0);
  a_.Advance(2s);
  EXPECT_TRUE(seen_.empty());
}

TEST_F(ManualExecutorTest, SeveralExecutorsShareOneClock) {
  a_.After(2s, [this] { b_.Post(Note("to b")); });
  b_.After(1s, [this] { a_.Post(Note("to a")); });
  ManualExecutor::Advance({&a_, &b_}, 5s);
  EXPECT_THAT(seen_, ElementsAre("to a", "to b"));
  EXPECT_EQ(a_.Now(), b_.Now());
}

TEST_F(ManualExecutorTest, OnlyTheRunningExecutorIsCurrentInsideATask) {
  EXPECT_TRUE(a_.IsCurrent());
  a_.Post([this] {
    EXPECT_TRUE(a_.IsCurrent());
    EXPECT_FALSE(b_.IsCurrent());
  });
  a_.RunReady();
}

TEST_F(ManualExecutorTest, AfterShutdownTasksAreDropped) {
  a_.Post(Note("dropped"));
  a_.After(1s, Note("dropped"));
  a_.Shutdown();
  a_.Post(Note("dropped"));
  a_.Advance(2s);
  EXPECT_TRUE(seen_.empty());
}

}  // namespace
}  // namespace weir
