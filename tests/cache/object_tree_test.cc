#include "cache/object_tree.h"

#include <algorithm>
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
using Model = std::map<std::string, ObjectRef>;

std::string Key(uint64_t n) { return fmt::format("ns-{}/obj-{}", n % 7, n); }

std::vector<ObjectRef> Sorted(const Model& model) {
  std::vector<ObjectRef> objects;
  for (const auto& [key, object] : model) objects.push_back(object);
  return objects;
}

// `count` objects in key order.
std::vector<ObjectRef> Objects(size_t count) {
  Model model;
  for (size_t i = 0; i < count; ++i) model[Key(i)] = MakeObject(Key(i), 1);
  return Sorted(model);
}

ObjectTree::Sums SumsOf(const Model& model, const std::string& from, const std::string& to) {
  ObjectTree::Sums sums;
  for (auto it = model.lower_bound(from); it != model.end(); ++it) {
    if (!to.empty() && it->first >= to) break;
    ++sums.objects;
    sums.rest_bytes += it->second->rest().size();
    sums.metadata_bytes += it->second->metadata().size();
  }
  return sums;
}

// The tree holds exactly the model's objects: by walk, by look-up, in its sums.
void ExpectEqual(const ObjectTree& tree, const Model& model) {
  ASSERT_TRUE(tree.Consistent());
  ObjectTree::Cursor cursor = tree.Begin();
  for (const auto& [key, object] : model) {
    ASSERT_TRUE(cursor.Valid());
    ASSERT_EQ(&*cursor, object.get()) << key;
    cursor.Prefetch();
    cursor.Next();
  }
  ASSERT_FALSE(cursor.Valid());
  ASSERT_EQ(tree.sums().objects, model.size());
  ASSERT_EQ(tree.sums(), SumsOf(model, "", ""));
}

TEST(ObjectTreeTest, AnEmptyTreeHasNothing) {
  const ObjectTree tree;
  EXPECT_TRUE(tree.empty());
  EXPECT_TRUE(tree.Consistent());
  EXPECT_FALSE(tree.Begin().Valid());
  EXPECT_FALSE(tree.LowerBound("a").Valid());
  EXPECT_FALSE(tree.Find("a"));
  EXPECT_EQ(tree.SumsBetween("a", "b").objects, 0u);
  EXPECT_TRUE(ObjectTree::FromSorted({}).empty());
}

TEST(ObjectTreeTest, OrderIsThatOfTheKeyBytesNotOfNamespaceAndName) {
  ObjectTree tree;
  for (const char* key : {"a/x", "a-b/x", "a.c/x", "aa/x"}) tree.Put(MakeObject(key, 1));
  std::vector<std::string> keys;
  for (auto cursor = tree.Begin(); cursor.Valid(); cursor.Next()) keys.emplace_back(cursor->key());
  EXPECT_THAT(keys, ElementsAre("a-b/x", "a.c/x", "a/x", "aa/x"));
}

TEST(ObjectTreeTest, AgreesWithAModelThroughRandomChangesWhileSnapshotsAreHeld) {
  std::mt19937_64 random(20260101);
  ObjectTree tree;
  Model model;
  struct Held {
    ObjectTree tree;
    Model model;
  };
  std::vector<Held> snapshots;
  // Grows to a few thousand objects and shrinks to nothing, three times.
  for (int round = 0; round < 3; ++round) {
    for (int step = 0; step < 9000; ++step) {
      const std::string key = Key(random() % 4000);
      const bool growing = step < 4500;
      if (random() % 10 < (growing ? 8u : 1u)) {
        ObjectRef object =
            MakeObject(key, random() % 1000 + 1, {.note = std::string(random() % 5, 'x')});
        const ObjectRef before = tree.Put(object);
        ASSERT_EQ(before, model[key]);
        model[key] = object;
      } else {
        const auto at = model.lower_bound(key);
        const std::string victim = at == model.end() ? key : at->first;
        const ObjectRef removed = tree.Remove(victim);
        ASSERT_EQ(removed, at == model.end() ? ObjectRef() : at->second);
        model.erase(victim);
      }
      if (step % 500 == 0) {
        ExpectEqual(tree, model);
        snapshots.push_back({tree, model});
        if (snapshots.size() > 4)
          snapshots.erase(snapshots.begin() + static_cast<long>(random() % 5));
      }
    }
    while (!model.empty()) {
      ASSERT_TRUE(tree.Remove(model.begin()->first));
      model.erase(model.begin());
    }
    ASSERT_TRUE(tree.empty());
    for (const Held& held : snapshots) ExpectEqual(held.tree, held.model);
  }
}

TEST(ObjectTreeTest, SumsAndBoundsOfRangesAgreeWithAModel) {
  std::mt19937_64 random(7);
  Model model;
  for (size_t i = 0; i < 3000; ++i) {
    const std::string key = Key(random() % 10000);
    model[key] = MakeObject(key, 1, {.note = std::string(random() % 9, 'x')});
  }
  const ObjectTree tree = ObjectTree::FromSorted(Sorted(model));
  ExpectEqual(tree, model);
  for (int i = 0; i < 500; ++i) {
    const std::string from = i == 0 ? "" : Key(random() % 10000);
    const std::string to = i % 5 == 0 ? "" : Key(random() % 10000);
    const auto sums = tree.SumsBetween(from, to);
    const auto expected = SumsOf(model, from, to);
    ASSERT_EQ(sums.objects, expected.objects) << from << " " << to;
    ASSERT_EQ(sums, expected);
    const auto cursor = tree.LowerBound(from);
    const auto it = model.lower_bound(from);
    ASSERT_EQ(cursor.Valid(), it != model.end());
    if (cursor.Valid()) {
      ASSERT_EQ(cursor->key(), it->first);
    }
    const auto found = model.find(from);
    ASSERT_EQ(tree.Find(from), found == model.end() ? ObjectRef() : found->second);
  }
}

TEST(ObjectTreeTest, BulkLoadingIsConsistentAtEverySize) {
  for (size_t count : {1u, 15u, 48u, 49u, 63u, 64u, 65u, 96u, 97u, 2304u, 2305u, 5000u}) {
    const ObjectTree tree = ObjectTree::FromSorted(Objects(count));
    EXPECT_TRUE(tree.Consistent()) << count;
    EXPECT_EQ(tree.sums().objects, count);
  }
}

TEST(ObjectTreeTest, InputInDisorderStillMakesARightTree) {
  std::vector<ObjectRef> objects = Objects(200);
  std::reverse(objects.begin(), objects.end());
  objects.push_back(MakeObject(Key(5), 99));
  const ObjectTree tree = ObjectTree::FromSorted(std::move(objects));
  EXPECT_TRUE(tree.Consistent());
  EXPECT_EQ(tree.sums().objects, 200u);
  EXPECT_EQ(tree.Find(Key(5))->revision(), Revision{99});
}

TEST(ObjectTreeTest, AnUpdateCopiesOnePathAndOnlyWhileASnapshotHoldsIt) {
  ObjectTree tree = ObjectTree::FromSorted(Objects(10000));  // Three levels.
  tree.Put(MakeObject(Key(1), 2));
  EXPECT_EQ(tree.nodes_copied(), 0u);
  {
    const ObjectTree snapshot = tree;
    tree.Put(MakeObject(Key(1), 3));
    EXPECT_EQ(tree.nodes_copied(), 3u);
    tree.Put(MakeObject(Key(1), 4));  // The copies are the tree's own.
    EXPECT_EQ(tree.nodes_copied(), 3u);
    EXPECT_EQ(snapshot.Find(Key(1))->revision(), Revision{2});
  }
  tree.Put(MakeObject(Key(9999), 5));
  EXPECT_EQ(tree.nodes_copied(), 3u);
}

TEST(ObjectTreeTest, RemovingWhatIsNotThereCopiesNothing) {
  ObjectTree tree = ObjectTree::FromSorted(Objects(1000));
  const ObjectTree snapshot = tree;
  EXPECT_FALSE(tree.Remove("nope/nope"));
  EXPECT_EQ(tree.nodes_copied(), 0u);
}

}  // namespace
}  // namespace weir
