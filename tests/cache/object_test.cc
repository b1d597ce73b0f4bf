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
  EXPECT_EQ(pod->rest_item_bytes(), pod->rest().size());
  EXPECT_EQ(pod->metadata_item_bytes(), pod->metadata().size());
  EXPECT_EQ(pod->key(), "shop/web-1");
  EXPECT_EQ(pod->namespace_(), "shop");
  EXPECT_EQ(pod->name(), "web-1");
  EXPECT_EQ(pod->uid(), "u-1");
  EXPECT_EQ(pod->revision(), Revision{999});
  EXPECT_EQ(pod->labels().Find("app"), "web");
  EXPECT_EQ(pod->field(kNodeName), "node-7");
  EXPECT_TRUE(pod->metadata().ends_with(R"("labels":{"app":"web"}})"));
  EXPECT_EQ(pod->revision_digits().In(pod->rest()), "999");
}

TEST(ObjectTest, ClusterScopedObjectsAreKeyedByNameAlone) {
  const ObjectRef node = MakeObject("node-1", 5);
  EXPECT_EQ(node->key(), "node-1");
  EXPECT_EQ(node->name(), "node-1");
  EXPECT_EQ(node->namespace_(), "");
  EXPECT_EQ(node->labels().Find("app"), std::nullopt);
  EXPECT_EQ(node->field(kNodeName), "");
}

TEST(ObjectTest, AnotherRevisionIsSplicedInAndNothingElseChanges) {
  for (const std::string_view item : {kPod, kCronTab}) {
    const ObjectRef object = Make(item);
    for (const uint64_t revision : {uint64_t{7}, uint64_t{999}, uint64_t{1000}, UINT64_MAX}) {
      const ObjectRef other = Object::WithRevision(*object, {revision});
      const std::string digits = std::to_string(revision);
      std::string expected(object->rest());
      expected.replace(object->revision_digits().offset, object->revision_digits().length, digits);
      EXPECT_EQ(other->rest(), expected);
      // A fresh scan of the new bytes finds all at the same places.
      const ObjectRef again = Make("{" + std::string(other->rest()));
      EXPECT_EQ(other->revision(), again->revision());
      EXPECT_EQ(other->key(), again->key());
      EXPECT_EQ(other->uid(), again->uid());
      EXPECT_EQ(other->metadata(), again->metadata());
      EXPECT_EQ(other->labels().Find("app"), again->labels().Find("app"));
      EXPECT_EQ(other->field(kNodeName), again->field(kNodeName));
      EXPECT_EQ(other->revision_digits().offset, again->revision_digits().offset);
      EXPECT_EQ(other->revision_digits().length, again->revision_digits().length);
    }
  }
}

TEST(ObjectTest, OverheadBesideTheBytesIsSmall) {
  const ObjectRef pod = Make(kPod);
  EXPECT_LE(pod->footprint() - pod->rest().size(), 100u + 8 * pod->field_count());
}

}  // namespace
}  // namespace weir
