#include "cache/difference.h"

#include <map>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/test_objects.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ObjectTree Tree(std::vector<ObjectRef> objects) {
  ObjectTree tree;
  for (ObjectRef& object : objects) tree.Put(std::move(object));
  return tree;
}

std::vector<std::string> Texts(const Difference& difference) {
  std::vector<std::string> texts;
  for (const LogEvent& event : difference.events) {
    const char* const type = event.type == EventType::kAdded      ? "ADDED"
                             : event.type == EventType::kModified ? "MODIFIED"
                                                                  : "DELETED";
    texts.push_back(fmt::format("{} {} {}", type, event.object->key(), event.revision.value));
    EXPECT_EQ(event.object->revision(), event.revision);
    EXPECT_EQ(event.previous == nullptr, event.type == EventType::kAdded);
  }
  return texts;
}

TEST(DifferenceTest, EqualStatesDifferInNothing) {
  const ObjectTree tree = Tree({MakeObject("a/x", 5), MakeObject("a/y", 6)});
  const auto difference = DifferenceBetween(tree, {10}, tree, {10});
  ASSERT_TRUE(difference);
  EXPECT_THAT(difference->events, IsEmpty());
  EXPECT_THAT(difference->replaced, IsEmpty());
}

TEST(DifferenceTest, ChangesComeByRevisionAndDeletionsTakeFreeOnes) {
  const auto difference = DifferenceBetween(
      Tree({MakeObject("a/gone1", 5), MakeObject("a/gone2", 6), MakeObject("a/kept", 7),
            MakeObject("a/changed", 8)}),
      {10}, Tree({MakeObject("a/kept", 7), MakeObject("a/changed", 11), MakeObject("a/new", 13)}),
      {20});
  ASSERT_TRUE(difference);
  EXPECT_THAT(Texts(*difference), ElementsAre("MODIFIED a/changed 11", "DELETED a/gone1 12",
                                              "ADDED a/new 13", "DELETED a/gone2 14"));
}

TEST(DifferenceTest, AnotherUidIsADeletionBeforeTheAddition) {
  const auto difference = DifferenceBetween(
      Tree({MakeObject("a/gone", 5), MakeObject("a/late", 5, {.uid = "1"}),
            MakeObject("a/soon", 5, {.uid = "1"})}),
      {10}, Tree({MakeObject("a/late", 15, {.uid = "2"}), MakeObject("a/soon", 12, {.uid = "2"})}),
      {20});
  ASSERT_TRUE(difference);
  // The one that must be gone first takes the lowest revision; who merely went comes last.
  EXPECT_THAT(Texts(*difference),
              ElementsAre("DELETED a/soon 11", "ADDED a/soon 12", "DELETED a/late 13",
                          "DELETED a/gone 14", "ADDED a/late 15"));
}

TEST(DifferenceTest, OtherBytesAtTheSameRevisionAreReplacedWithoutAnEvent) {
  const auto difference = DifferenceBetween(Tree({MakeObject("a/x", 5)}), {10},
                                            Tree({MakeObject("a/x", 5, {.note = "n"})}), {10});
  ASSERT_TRUE(difference);
  EXPECT_THAT(difference->events, IsEmpty());
  ASSERT_EQ(difference->replaced.size(), 1u);
  EXPECT_THAT(std::string(difference->replaced[0]->rest()), ::testing::HasSubstr("note"));
}

TEST(DifferenceTest, TheListsOwnRevisionIsFreeForADeletion) {
  const auto difference = DifferenceBetween(Tree({MakeObject("a/x", 5)}), {10}, Tree({}), {11});
  ASSERT_TRUE(difference);
  EXPECT_THAT(Texts(*difference), ElementsAre("DELETED a/x 11"));
}

TEST(DifferenceTest, MoreDeletionsThanFreeRevisionsHaveNoOrder) {
  const ObjectTree ours = Tree({MakeObject("a/x", 5), MakeObject("a/y", 5)});
  EXPECT_FALSE(DifferenceBetween(ours, {10}, Tree({}), {11}));
  EXPECT_FALSE(DifferenceBetween(ours, {10}, Tree({MakeObject("a/z", 12)}), {12}));
  EXPECT_FALSE(DifferenceBetween(Tree({MakeObject("a/x", 5)}), {10}, Tree({}), {10}));
  EXPECT_TRUE(DifferenceBetween(ours, {10}, Tree({}), {12}));
}

TEST(DifferenceTest, ANewUidAtTheFirstRevisionLeavesNoRoomForItsDeletion) {
  EXPECT_FALSE(DifferenceBetween(Tree({MakeObject("a/x", 5, {.uid = "1"})}), {10},
                                 Tree({MakeObject("a/x", 11, {.uid = "2"})}), {20}));
}

TEST(DifferenceTest, ChangesOutsideTheTwoRevisionsHaveNoOrder) {
  EXPECT_FALSE(DifferenceBetween(Tree({}), {10}, Tree({MakeObject("a/x", 10)}), {20}));
  EXPECT_FALSE(DifferenceBetween(Tree({}), {10}, Tree({MakeObject("a/x", 21)}), {20}));
  EXPECT_FALSE(
      DifferenceBetween(Tree({MakeObject("a/x", 9)}), {10}, Tree({MakeObject("a/x", 8)}), {20}));
}

TEST(DifferenceTest, ApplyingItGivesTheOtherStateForRandomHistories) {
  std::mt19937_64 random(42);
  for (int round = 0; round < 200; ++round) {
    ObjectTree ours, theirs;
    uint64_t revision = 100;
    uint64_t uid = 0;
    const auto change = [&](ObjectTree& tree) {
      const std::string key = fmt::format("a/{}", random() % 20);
      ++revision;
      const ObjectRef known = tree.Find(key);
      if (known && random() % 3 == 0) {
        tree.Remove(key);
      } else {
        tree.Put(MakeObject(key, revision,
                            {.uid = known ? std::string(known->uid()) : std::to_string(++uid)}));
      }
    };
    for (int i = 0; i < 40; ++i) change(ours);
    const Revision from{revision};
    theirs = ours;
    for (int i = 0; i < 40; ++i) change(theirs);

    // Every deletion had its own revision, so there is always an order.
    const auto difference = DifferenceBetween(ours, from, theirs, {revision});
    ASSERT_TRUE(difference) << round;
    Revision last = from;
    for (const LogEvent& event : difference->events) {
      ASSERT_GT(event.revision, last);
      last = event.revision;
      if (event.type == EventType::kDeleted) {
        ASSERT_EQ(ours.Remove(event.object->key()), event.previous);
      } else {
        ASSERT_EQ(ours.Put(event.object), event.previous);
      }
    }
    ASSERT_LE(last, Revision{revision});
    ObjectTree::Cursor a = ours.Begin();
    ObjectTree::Cursor b = theirs.Begin();
    for (; a.Valid() && b.Valid(); a.Next(), b.Next()) ASSERT_EQ(&*a, &*b);
    ASSERT_EQ(a.Valid(), b.Valid());
  }
}

}  // namespace
}  // namespace weir
