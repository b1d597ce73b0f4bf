#include "cache/object.h"

#include <string>

#include "gtest/gtest.h"
#include "protocol/k8s/metadata_scan.h"
#include "tests/cache/test_objects.h"

namespace weir {
namespace {

constexpr std::string_view kPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-1","namespace":"shop","uid":"u-1",)"
    R"("resourceVersion":"999","labels":{"app":"web"}},"spec":{"nodeName":"node-7"}})";
constexpr std::string_view kCronTab =
    R"({"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"labels":{"a":"b"},)"
    R"("name":"c","namespace":"n","resourceVersion":"9","uid":"u-9"},"spec":{}})";

ObjectRef Make(std::string_view item) { return Object::Make(PodScanner().Scan(item).value()); }

TEST(ObjectTest, KeepsTheBytesWithoutTheTypePrefix) {
  const ObjectRef pod = Make(kPod);
  EXPECT_EQ("{" + std::string(kPodPrefix) + std::string(pod->rest()), kPod);
  EXPECT_EQ(pod->item_bytes(), kPod.size() - kPodPrefix.size());
  EXPECT_EQ(pod->key(), "shop/web-1");
  EXPECT_EQ(pod->namespace_(), "shop");
  EXPECT_EQ(pod->name(), "web-1");
  EXPECT_EQ(pod->uid(), "u-1");
  EXPECT_EQ(pod->revision(), Revision{999});
  EXPECT_EQ(pod->labels_json(), R"({"app":"web"})");
  EXPECT_EQ(pod->node_name(), "node-7");
  EXPECT_TRUE(pod->metadata().ends_with(R"("labels":{"app":"web"}})"));
  EXPECT_EQ(std::string(pod->before_revision()) + "999" + std::string(pod->after_revision()),
            pod->rest());
}

TEST(ObjectTest, ClusterScopedObjectsAreKeyedByNameAlone) {
  const ObjectRef node = MakeObject("node-1", 5);
  EXPECT_EQ(node->key(), "node-1");
  EXPECT_EQ(node->name(), "node-1");
  EXPECT_EQ(node->namespace_(), "");
  EXPECT_EQ(node->labels_json(), "");
  EXPECT_EQ(node->node_name(), "");
}

TEST(ObjectTest, AnotherRevisionIsSplicedInAndNothingElseChanges) {
  for (const std::string_view item : {kPod, kCronTab}) {
    const ObjectRef object = Make(item);
    for (const uint64_t revision : {uint64_t{7}, uint64_t{999}, uint64_t{1000}, UINT64_MAX}) {
      const ObjectRef other = Object::WithRevision(*object, {revision});
      const std::string digits = std::to_string(revision);
      EXPECT_EQ(other->rest(), std::string(object->before_revision()) + digits +
                                   std::string(object->after_revision()));
      // A fresh scan of the new bytes finds all at the same places.
      const ObjectRef again = Make("{" + std::string(other->rest()));
      EXPECT_EQ(other->revision(), again->revision());
      EXPECT_EQ(other->key(), again->key());
      EXPECT_EQ(other->uid(), again->uid());
      EXPECT_EQ(other->metadata(), again->metadata());
      EXPECT_EQ(other->labels_json(), again->labels_json());
      EXPECT_EQ(other->node_name(), again->node_name());
      EXPECT_EQ(other->before_revision(), again->before_revision());
    }
  }
}

TEST(ObjectTest, OverheadBesideTheBytesIsSmall) {
  const ObjectRef pod = Make(kPod);
  EXPECT_LE(pod->footprint() - pod->rest().size(), 120u);
}

}  // namespace
}  // namespace weir
