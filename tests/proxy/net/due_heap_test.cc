#include "proxy/net/due_heap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <vector>

#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class DueHeapTest : public ::testing::Test {
 protected:
  struct Thing final : DueHeap::Member {
    Thing(DueHeapTest& t, int n) : test(t), number(n) { ++test.alive_; }
    ~Thing() override { --test.alive_; }
    void OnDue() override {
      test.due_.push_back(number);
      if (!test.stays_due_) test.heap_.Remove(*this);
    }
    DueHeapTest& test;
    const int number;
  };
  // Held by the heap alone.
  Thing& Add(int number, Duration in) {
    const auto thing = RefPtr<Thing>::Adopt(new Thing(*this, number));
    heap_.Set(*thing, executor_.Now() + in);
    return *thing;
  }

  int alive_ = 0;
  bool stays_due_ = false;
  std::vector<int> due_;
  ManualExecutor executor_;
  DueHeap heap_{executor_};
};

TEST_F(DueHeapTest, CallsEachAtItsTime) {
  Add(1, seconds(5));
  Add(2, seconds(1));
  Thing& moved = Add(3, seconds(2));
  heap_.Remove(Add(4, seconds(3)));
  heap_.Set(moved, executor_.Now() + seconds(9));
  executor_.Advance(seconds(4));
  EXPECT_THAT(due_, ElementsAre(2));
  heap_.Set(moved, executor_.Now());
  executor_.Advance(seconds(2));
  EXPECT_THAT(due_, ElementsAre(2, 3, 1));
  EXPECT_TRUE(heap_.empty());
  EXPECT_EQ(alive_, 0);
}

TEST_F(DueHeapTest, WhatStaysDueIsAskedOnceATurn) {
  stays_due_ = true;
  Add(1, seconds(1));
  Add(2, seconds(1));
  executor_.Advance(seconds(1) - Duration(1));
  EXPECT_THAT(due_, IsEmpty());
  stays_due_ = false;
  executor_.Advance(seconds(1));
  EXPECT_EQ(due_.size(), 2u);
  EXPECT_EQ(alive_, 0);
}

TEST_F(DueHeapTest, WakesAllAndLetsAllGo) {
  for (int i = 0; i < 10; ++i) Add(i, seconds(i + 1));
  stays_due_ = true;
  heap_.WakeAll();
  EXPECT_EQ(due_.size(), 10u);
  stays_due_ = false;
  heap_.WakeAll();
  EXPECT_EQ(due_.size(), 20u);
  EXPECT_EQ(alive_, 0);
  Add(1, seconds(1));
  heap_.Clear();
  EXPECT_EQ(alive_, 0);
  executor_.Advance(seconds(2));
  EXPECT_EQ(due_.size(), 20u);
}

// Against a list that is looked through.
TEST_F(DueHeapTest, AgreesWithAListWhateverIsDone) {
  std::mt19937 random(20);
  std::map<int, std::pair<Thing*, TimePoint>> expected;
  for (int step = 0; step < 20000; ++step) {
    const auto in = Duration(seconds(1 + random() % 50));
    const int number = static_cast<int>(random() % 60);
    const auto found = expected.find(number);
    if (random() % 3 == 0 && found != expected.end()) {
      heap_.Remove(*found->second.first);
      expected.erase(found);
    } else if (found != expected.end()) {
      found->second.second = executor_.Now() + in;
      heap_.Set(*found->second.first, found->second.second);
    } else {
      expected[number] = {&Add(number, in), executor_.Now() + in};
    }
    if (random() % 4 != 0) continue;
    due_.clear();
    executor_.Advance(seconds(random() % 4));
    for (const int done : due_) {
      ASSERT_TRUE(expected.contains(done));
      EXPECT_LE(expected[done].second, executor_.Now());
      expected.erase(done);
    }
    for (const auto& [left, entry] : expected) ASSERT_GT(entry.second, executor_.Now()) << left;
    ASSERT_EQ(heap_.size(), expected.size());
    ASSERT_EQ(static_cast<size_t>(alive_), expected.size());
  }
}

}  // namespace
}  // namespace weir
