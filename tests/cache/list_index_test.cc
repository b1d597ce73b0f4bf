#include "cache/list_index.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/test_objects.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Keys(const ListIndex& index, std::string_view value) {
  std::vector<std::string> keys;
  if (const auto* objects = index.Find(value)) {
    for (const ObjectRef& object : *objects) keys.emplace_back(object->key());
  }
  return keys;
}

Filter Wants(std::string_view labels, std::string_view fields) {
  return Filter("", LabelSelector::Parse(labels).value(), FieldSelector::Parse(fields).value(),
                PodForm()->fields);
}

BatchRef BatchOf(std::vector<LogEvent> events) {
  auto* const batch = new Batch();
  batch->events = std::move(events);
  return BatchRef::Adopt(batch);
}

class ListIndexTest : public ::testing::Test {
 protected:
  ObjectRef Put(std::string_view key, uint64_t revision, const ObjectShape& shape) {
    ObjectRef object = MakeObject(key, revision, shape);
    tree_.Put(object);
    return object;
  }
  ObjectTree tree_;
  ListIndex nodes_{{false, "spec.nodeName"}, PodForm()->fields};
  ListIndex apps_{{true, "app"}, PodForm()->fields};
};

TEST_F(ListIndexTest, KnowsWhichFiltersRequireIt) {
  EXPECT_EQ(nodes_.Required(Wants("", "spec.nodeName=n1")), "n1");
  EXPECT_EQ(nodes_.Required(Wants("", "spec.host=n1")), "n1");
  EXPECT_EQ(nodes_.Required(Wants("app=web", "spec.nodeName=n1,metadata.name=x")), "n1");
  EXPECT_EQ(nodes_.Required(Wants("", "spec.nodeName=")), "");
  EXPECT_EQ(nodes_.Required(Wants("app=web", "")), std::nullopt);
  EXPECT_EQ(nodes_.Required(Wants("", "spec.nodeName!=n1")), std::nullopt);
  EXPECT_EQ(apps_.Required(Wants("app=web,tier", "")), "web");
  EXPECT_EQ(apps_.Required(Wants("app in (web,db)", "")), std::nullopt);
  EXPECT_EQ(apps_.Required(Wants("app!=web", "")), std::nullopt);
  EXPECT_EQ(apps_.Required(Wants("app", "")), std::nullopt);
}

TEST_F(ListIndexTest, FollowsWhatEveryEventChanges) {
  const ObjectRef a = Put("ns/a", 1, {.labels = R"({"app":"web"})", .node = "n1"});
  const ObjectRef b = Put("ns/b", 2, {.node = "n1"});
  const ObjectRef c = Put("ns-1/c", 3, {.labels = R"({"app":"web"})"});
  nodes_.Build(tree_);
  apps_.Build(tree_);
  EXPECT_THAT(Keys(nodes_, "n1"), ElementsAre("ns/a", "ns/b"));
  EXPECT_THAT(Keys(nodes_, ""), ElementsAre("ns-1/c"));
  EXPECT_THAT(Keys(apps_, "web"), ElementsAre("ns-1/c", "ns/a"));

  const ObjectRef moved = MakeObject("ns/a", 4, {.labels = R"({"app":"db"})", .node = "n2"});
  const ObjectRef added = MakeObject("ns/0", 5, {.labels = R"({"app":"web"})", .node = "n1"});
  const ObjectRef gone = Object::WithRevision(*b, {6});
  const BatchRef batch = BatchOf({{{4}, EventType::kModified, moved, a},
                                  {{5}, EventType::kAdded, added, nullptr},
                                  {{6}, EventType::kDeleted, gone, b}});
  nodes_.Apply(*batch);
  apps_.Apply(*batch);
  EXPECT_THAT(Keys(nodes_, "n1"), ElementsAre("ns/0"));
  EXPECT_THAT(Keys(nodes_, "n2"), ElementsAre("ns/a"));
  EXPECT_THAT(Keys(apps_, "web"), ElementsAre("ns-1/c", "ns/0"));
  EXPECT_THAT(Keys(apps_, "db"), ElementsAre("ns/a"));
  EXPECT_EQ(apps_.Find("db")->front()->revision(), Revision{4});
}

TEST_F(ListIndexTest, AReplacedObjectIsTheNewOne) {
  const ObjectRef a = Put("ns/a", 1, {.node = "n1"});
  nodes_.Build(tree_);
  const ObjectRef newer = MakeObject("ns/a", 2, {.node = "n1", .note = "new"});
  nodes_.Apply(*BatchOf({{{2}, EventType::kModified, newer, a}}));
  ASSERT_THAT(Keys(nodes_, "n1"), ElementsAre("ns/a"));
  EXPECT_EQ(nodes_.Find("n1")->front().get(), newer.get());
}

TEST_F(ListIndexTest, IsDroppedWhereABatchDoesNotTellAll) {
  Put("ns/a", 1, {.node = "n1"});
  nodes_.Build(tree_);
  auto* const silent = new Batch();
  silent->bytes = 100;
  nodes_.Apply(*BatchRef::Adopt(silent));
  EXPECT_FALSE(nodes_.built());
  EXPECT_THAT(Keys(nodes_, "n1"), IsEmpty());

  nodes_.Build(tree_);
  auto* const bookmark = new Batch();
  nodes_.Apply(*BatchRef::Adopt(bookmark));
  EXPECT_TRUE(nodes_.built());
  auto* const resynchronised = new Batch();
  resynchronised->gap_after = Revision{1};
  nodes_.Apply(*BatchRef::Adopt(resynchronised));
  EXPECT_FALSE(nodes_.built());
}

TEST_F(ListIndexTest, CountsWhatItHolds) {
  const ObjectRef a = Put("ns/a", 1, {.node = "n1"});
  Put("ns/b", 2, {.node = "n1"});
  EXPECT_EQ(nodes_.bytes(), 0u);
  nodes_.Build(tree_);
  const size_t two = nodes_.bytes();
  nodes_.Apply(*BatchOf({{{3}, EventType::kDeleted, Object::WithRevision(*a, {3}), a}}));
  EXPECT_LT(nodes_.bytes(), two);
  nodes_.Apply(
      *BatchOf({{{4}, EventType::kAdded, MakeObject("ns/a", 4, {.node = "n1"}), nullptr}}));
  EXPECT_EQ(nodes_.bytes(), two);
  nodes_.Build(tree_);
  EXPECT_EQ(nodes_.bytes(), two);
  nodes_.Drop();
  EXPECT_EQ(nodes_.bytes(), 0u);
}

TEST_F(ListIndexTest, NothingIsKeptBeforeItIsBuilt) {
  nodes_.Apply(
      *BatchOf({{{2}, EventType::kAdded, MakeObject("ns/a", 2, {.node = "n1"}), nullptr}}));
  EXPECT_EQ(nodes_.values(), 0u);
}

}  // namespace
}  // namespace weir
