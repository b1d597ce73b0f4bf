#include "proxy/auth/verdict_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint(1h);

TEST(VerdictTableTest, AnEntryLivesUntilItsEndAndNotAtIt) {
  VerdictTable<int> table(10, 10);
  table.Put("k", "g", 1, kStart + 10s);
  ASSERT_NE(table.Find("k", kStart + 9s), nullptr);
  EXPECT_EQ(*table.Find("k", kStart + 9s), 1);
  EXPECT_EQ(table.Find("k", kStart + 10s), nullptr);
  EXPECT_EQ(table.size(), 0u);
}

TEST(VerdictTableTest, ANewValueReplacesTheOldOne) {
  VerdictTable<int> table(10, 10);
  table.Put("k", "g", 1, kStart + 10s);
  table.Put("k", "h", 2, kStart + 20s);
  EXPECT_EQ(*table.Find("k", kStart + 15s), 2);
  EXPECT_EQ(table.size(), 1u);
}

TEST(VerdictTableTest, TheLongestUnusedGoesWhenAllIsFull) {
  VerdictTable<int> table(2, 2);
  table.Put("a", "g", 1, kStart + 1h);
  table.Put("b", "g", 2, kStart + 1h);
  ASSERT_NE(table.Find("a", kStart), nullptr);
  table.Put("c", "h", 3, kStart + 1h);
  EXPECT_NE(table.Find("a", kStart), nullptr);
  EXPECT_EQ(table.Find("b", kStart), nullptr);
  EXPECT_NE(table.Find("c", kStart), nullptr);
}

TEST(VerdictTableTest, OneUserCannotEvictTheOthers) {
  VerdictTable<int> table(1000, 10);
  table.Put("bob", "bob", 1, kStart + 1h);
  for (int i = 0; i < 5000; ++i) table.Put(fmt::format("alice/{}", i), "alice", i, kStart + 1h);
  EXPECT_EQ(table.size(), 11u);
  EXPECT_NE(table.Find("bob", kStart), nullptr);
  EXPECT_NE(table.Find("alice/4999", kStart), nullptr);
  EXPECT_NE(table.Find("alice/4990", kStart), nullptr);
  EXPECT_EQ(table.Find("alice/4989", kStart), nullptr);
}

TEST(VerdictTableTest, ABoundOfZeroRemembersNothing) {
  VerdictTable<int> table(0, 10);
  table.Put("k", "g", 1, kStart + 1h);
  EXPECT_EQ(table.Find("k", kStart), nullptr);
}

}  // namespace
}  // namespace weir
