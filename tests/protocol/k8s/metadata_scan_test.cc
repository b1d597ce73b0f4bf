#include "protocol/k8s/metadata_scan.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/base/json_walk.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-1","namespace":"shop","uid":"u-1",)"
    R"("resourceVersion":"12746","generation":2,"creationTimestamp":"2026-01-01T00:00:00Z",)"
    R"("labels":{"app":"web","tier":"front"},"annotations":{"note":"a \"name\":\"x\" {[ in a string"},)"
    R"("managedFields":[{"manager":"kubelet","fieldsV1":{"f:metadata":{"f:name":{}}}}]},)"
    R"("spec":{"volumes":[{"name":"v","nodeName":"not-this"}],"nodeName":"node-7","containers":[]},)"
    R"("status":{"phase":"Running","metadata":{"name":"nor-this"}}})";

StatusOr<ScannedObject> Scan(std::string_view item, bool pod = true) {
  const ResourceId id{"", "v1", pod ? "pods" : "configmaps"};
  return MetadataScanner(Encoding::kJson, SelectableFields::BuiltIn(id)).Scan(item);
}

TEST(MetadataScanTest, BuiltInObjectOfAWatchIsCutBehindItsTypePrefix) {
  const ScannedObject pod = Scan(kPod).value();
  EXPECT_EQ(pod.type_prefix, R"("kind":"Pod","apiVersion":"v1",)");
  EXPECT_EQ("{" + std::string(pod.type_prefix) + std::string(pod.rest), kPod);
  EXPECT_TRUE(pod.rest.starts_with(R"("metadata":{"name")"));
  EXPECT_EQ(pod.kind, "Pod");
  EXPECT_EQ(pod.api_version, "v1");
  EXPECT_EQ(pod.name, "web-1");
  EXPECT_EQ(pod.namespace_, "shop");
  EXPECT_EQ(pod.uid, "u-1");
  EXPECT_EQ(pod.revision, Revision{12746});
  EXPECT_EQ(pod.revision_digits.In(pod.rest), "12746");
  EXPECT_EQ(pod.labels.In(pod.rest), R"({"app":"web","tier":"front"})");
  EXPECT_EQ(pod.fields[0].In(pod.rest), "node-7");
  EXPECT_TRUE(pod.metadata.In(pod.rest).starts_with(R"({"name":"web-1")"));
  EXPECT_TRUE(pod.metadata.In(pod.rest).ends_with(R"({"f:name":{}}}}]})"));
}

TEST(MetadataScanTest, ListItemOfABuiltInTypeHasNoPrefixToCut) {
  const ScannedObject pod =
      Scan(R"({"metadata":{"name":"a","resourceVersion":"5"},"spec":{}})").value();
  EXPECT_TRUE(pod.type_prefix.empty());
  EXPECT_EQ(pod.rest, R"("metadata":{"name":"a","resourceVersion":"5"},"spec":{}})");
  EXPECT_TRUE(pod.kind.empty());
  EXPECT_EQ(pod.revision_digits.In(pod.rest), "5");
  EXPECT_EQ(pod.labels.length, 0u);
  EXPECT_EQ(pod.fields[0].length, 0u);
  EXPECT_TRUE(pod.uid.empty());
}

TEST(MetadataScanTest, CustomResourceKeepsItsSortedKeysWhole) {
  const std::string_view item =
      R"({"apiVersion":"stable.example.com/v1","kind":"CronTab","metadata":{"name":"c",)"
      R"("namespace":"n","resourceVersion":"9"},"spec":{"nodeName":"x"}})";
  const ScannedObject object = Scan(item, /*pod=*/false).value();
  EXPECT_TRUE(object.type_prefix.empty());
  EXPECT_EQ(object.rest, item.substr(1));
  EXPECT_EQ(object.kind, "CronTab");
  EXPECT_EQ(object.api_version, "stable.example.com/v1");
  EXPECT_EQ(object.fields[0].length, 0u);
}

TEST(MetadataScanTest, OtherSpecsThanObjectsAreNoObstacle) {
  EXPECT_TRUE(Scan(R"({"metadata":{"name":"a","resourceVersion":"5"},"spec":"text"})").ok());
  EXPECT_TRUE(
      Scan(
          R"({"metadata":{"name":"a","resourceVersion":"5","labels":null},"spec":{"nodeName":null}})")
          .ok());
}

// The recorded bytes of each field that was found: "label: bytes", in the order of the table.
std::vector<std::string> FieldsOf(std::string_view item, const SelectableFields& fields) {
  const MetadataScanner scanner(Encoding::kJson, std::make_shared<const SelectableFields>(fields));
  const auto object = scanner.Scan(item);
  if (!object.ok()) return {std::string(Message(object.status()))};
  EXPECT_EQ(object->field_count, fields.size());
  std::vector<std::string> found;
  for (size_t i = 0; i < fields.size(); ++i) {
    const std::string_view raw = object->fields[i].In(object->rest);
    if (!raw.empty()) found.push_back(fields[i].label + ": " + std::string(raw));
  }
  return found;
}
std::vector<std::string> PodFieldsOf(std::string_view spec_and_status) {
  return FieldsOf(
      R"({"metadata":{"name":"a","resourceVersion":"5"},)" + std::string(spec_and_status) + "}",
      *SelectableFields::BuiltIn({"", "v1", "pods"}));
}

TEST(MetadataScanTest, SelectableFieldsAreRecordedAsTheyStand) {
  EXPECT_THAT(
      PodFieldsOf(
          R"("spec":{"nodeName":"n\u003c1","hostNetwork":true,"restartPolicy":"","x":{"nodeName":"z"}},)"
          R"("status":{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"}],"phase":"Running"},"phase":"z")"),
      ElementsAre(R"(spec.nodeName: n\u003c1)", "spec.hostNetwork: true", "status.phase: Running",
                  "status.podIP: 10.0.0.1"));
  EXPECT_THAT(FieldsOf(R"({"metadata":{"name":"a","resourceVersion":"5"},"type":"Opaque",)"
                       R"("data":{"type":"eA=="}})",
                       *SelectableFields::BuiltIn({"", "v1", "secrets"})),
              ElementsAre("type: Opaque"));
  EXPECT_THAT(FieldsOf(R"({"metadata":{"name":"a","resourceVersion":"5"},)"
                       R"("spec":{"pool":{"generation":1,"name":"p"},"driver":"d"}})",
                       *SelectableFields::BuiltIn({"resource.k8s.io", "v1", "resourceslices"})),
              ElementsAre("spec.driver: d", "spec.pool.name: p"));
  EXPECT_THAT(FieldsOf(R"({"metadata":{"name":"a","resourceVersion":"5"},)"
                       R"("status":{"succeeded":12}})",
                       *SelectableFields::BuiltIn({"batch", "v1", "jobs"})),
              ElementsAre("status.successful: 12"));
}

TEST(MetadataScanTest, FieldsThatAreNoScalarsAreAbsent) {
  EXPECT_THAT(PodFieldsOf(R"("spec":{"nodeName":{"a":["b"]},"hostNetwork":[true],)"
                          R"("schedulerName":null,"restartPolicy":"Always"},"status":"text")"),
              ElementsAre("spec.restartPolicy: Always"));
  EXPECT_THAT(PodFieldsOf(R"("spec":[{"nodeName":"a"}],"status":{"phase":"Running"})"),
              ElementsAre("status.phase: Running"));
}

TEST(MetadataScanTest, OfAFieldThatIsThereTwiceTheLastCounts) {
  EXPECT_THAT(PodFieldsOf(R"("spec":{"nodeName":"a","nodeName":"b"})"),
              ElementsAre("spec.nodeName: b"));
  EXPECT_THAT(PodFieldsOf(R"("spec":{"nodeName":"a"},"spec":{"restartPolicy":"Never"})"),
              ElementsAre("spec.nodeName: a", "spec.restartPolicy: Never"));
}

TEST(MetadataScanTest, APathMayLeadThroughAnotherField) {
  const auto fields = SelectableFields::Custom({".spec.a", ".spec.a.b", ".spec.a.c.d"});
  const auto of = [&](const char* a) {
    return FieldsOf(
        R"({"metadata":{"name":"a","resourceVersion":"5"},"spec":{"a":)" + std::string(a) + "}}",
        *fields);
  };
  EXPECT_THAT(of(R"("x")"), ElementsAre("spec.a: x"));
  EXPECT_THAT(of(R"({"b":7,"c":{"d":false}})"), ElementsAre("spec.a.b: 7", "spec.a.c.d: false"));
}

TEST(MetadataScanTest, WhatCannotBeCachedIsRefused) {
  for (const char* item : {
           "",
           "[]",
           "{}",
           R"({"metadata":{"name":"a"}})",
           R"({"metadata":{"resourceVersion":"1"}})",
           R"({"metadata":{"name":"","resourceVersion":"1"}})",
           R"({"metadata":{"name":"a","resourceVersion":1}})",
           R"({"metadata":{"name":"a","resourceVersion":""}})",
           R"({"metadata":{"name":"a","resourceVersion":"0"}})",
           R"({"metadata":{"name":"a","resourceVersion":"-1"}})",
           R"({"metadata":{"name":"a","resourceVersion":"1x"}})",
           R"({"metadata":{"name":"a","resourceVersion":"99999999999999999999"}})",
           R"({"metadata":{"name":"a\u002fb","resourceVersion":"1"}})",
           R"({"metadata":{"name":"a/b","resourceVersion":"1"}})",
           R"({"metadata":{"name":"a","resourceVersion":"1","labels":{"a":"\"b"}}})",
           R"({"metadata":{"name":"a","resourceVersion":"1"},"metadata":{}})",
           R"({"metadata":"x","metadata":{"name":"a","resourceVersion":"1"}})",
           R"({"metadata":{"name":"a","name":"b","resourceVersion":"1"}})",
           R"({"metadata":{"name":"a","resourceVersion":"1"}}x)",
           R"({"metadata": {"name":"a","resourceVersion":"1"}})",
       }) {
    EXPECT_EQ(Scan(item).status().code(), absl::StatusCode::kInvalidArgument) << item;
  }
}

TEST(MetadataScanTest, EveryTruncationIsRefused) {
  for (size_t length = 0; length < kPod.size(); ++length) {
    // On the heap, so that a read behind the end is seen.
    const std::string cut(kPod.substr(0, length));
    EXPECT_FALSE(Scan(cut).ok()) << length;
  }
}

TEST(MetadataScanTest, DepthIsBounded) {
  const std::string open(kMaxJsonDepth + 1, '[');
  const std::string close(kMaxJsonDepth + 1, ']');
  EXPECT_FALSE(
      Scan(R"({"metadata":{"name":"a","resourceVersion":"1"},"x":)" + open + close + "}").ok());
}

}  // namespace
}  // namespace weir
