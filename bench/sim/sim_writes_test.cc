#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/sim/proto_body.h"
#include "bench/sim/sim_fixture.h"

namespace weir::sim {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kConfigMaps = "/api/v1/namespaces/default/configmaps";
constexpr std::string_view kMerge = "application/merge-patch+json";

class SimWritesTest : public SimFixture, public ::testing::Test {};

TEST_F(SimWritesTest, ACreatedObjectHasWhatTheServerOwns) {
  const Reply reply =
      Call("POST", kConfigMaps,
           R"({"data":{"k":"v"},"metadata":{"name":"a","labels":{"z":"1","b":"2"}}})");
  EXPECT_EQ(reply.status, 201);
  EXPECT_THAT(
      reply.body,
      StartsWith(
          R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a","namespace":"default","uid":")"));
  EXPECT_THAT(reply.body, HasSubstr(R"("labels":{"b":"2","z":"1"})"));
  EXPECT_THAT(reply.body, HasSubstr(R"("managedFields":[{"manager":)"));
}

TEST_F(SimWritesTest, NamesMustBeNewValidAndInANamespaceThatExists) {
  EXPECT_EQ(CreateConfigMap("a").status, 201);
  EXPECT_THAT(CreateConfigMap("a").body, HasSubstr(R"("reason":"AlreadyExists")"));
  EXPECT_EQ(CreateConfigMap("Not-Lower").status, 422);
  EXPECT_EQ(Call("POST", kConfigMaps, R"({"metadata":{}})").status, 422);
  EXPECT_EQ(
      Call("POST", "/api/v1/namespaces/none/configmaps", R"({"metadata":{"name":"a"}})").status,
      404);
  EXPECT_EQ(Call("POST", kConfigMaps, R"({"metadata":{"name":"b","namespace":"other"}})").status,
            400);
  EXPECT_EQ(Call("POST", kConfigMaps, R"({"kind":"Secret","metadata":{"name":"b"}})").status, 400);
}

TEST_F(SimWritesTest, GeneratedNamesBeginAsAsked) {
  EXPECT_THAT(Call("POST", kConfigMaps, R"({"metadata":{"generateName":"made-"}})").body,
              HasSubstr(R"("name":"made-)"));
}

TEST_F(SimWritesTest, AnUpdateOfAnOldRevisionConflicts) {
  CreateConfigMap("a");
  const std::string old = Revision();
  const std::string target = std::string(kConfigMaps) + "/a";
  const std::string body =
      R"({"metadata":{"name":"a","resourceVersion":")" + old + R"("},"data":{"k":"v"}})";
  EXPECT_EQ(Call("PUT", target, body).status, 200);
  const Reply second = Call("PUT", target, body);
  EXPECT_EQ(second.status, 409);
  EXPECT_THAT(second.body, HasSubstr("the object has been modified"));
}

TEST_F(SimWritesTest, AWriteThatChangesNothingMakesNoRevision) {
  CreateConfigMap("a");
  const std::string before = Revision();
  EXPECT_EQ(Call("PATCH", std::string(kConfigMaps) + "/a", "{}", kMerge).status, 200);
  EXPECT_EQ(Revision(), before);
}

TEST_F(SimWritesTest, MergePatchesSetAndRemove) {
  CreateConfigMap("a", R"({"keep":"1","drop":"1"})");
  const Reply reply = Call("PATCH", std::string(kConfigMaps) + "/a",
                           R"({"metadata":{"labels":{"drop":null,"new":"1"}}})", kMerge);
  EXPECT_THAT(reply.body, HasSubstr(R"("labels":{"keep":"1","new":"1"})"));
}

TEST_F(SimWritesTest, PatchesThatWouldNeedSchemasAreRefused) {
  CreateConfigMap("a");
  const std::string target = std::string(kConfigMaps) + "/a";
  EXPECT_EQ(Call("PATCH", target, R"({"data":{"k":"v"}})", "application/strategic-merge-patch+json")
                .status,
            200);
  EXPECT_EQ(Call("PATCH", target, R"({"metadata":{"finalizers":["x/y"]}})",
                 "application/strategic-merge-patch+json")
                .status,
            415);
  EXPECT_EQ(Call("PATCH", target, "{}", "application/apply-patch+yaml").status, 415);
}

TEST_F(SimWritesTest, StatusAndTheRestAreWrittenThroughTheirOwnPaths) {
  const std::string node = "/api/v1/nodes/node-00000";
  Call("PATCH", node, R"({"status":{"phase":"x"},"spec":{"unschedulable":true}})", kMerge);
  Json now = Tree(node);
  EXPECT_EQ(Find(now, {"status", "phase"}), nullptr);
  EXPECT_NE(Find(now, {"spec", "unschedulable"}), nullptr);
  Call("PATCH", node + "/status", R"({"status":{"phase":"x"},"spec":{"unschedulable":null}})",
       kMerge);
  now = Tree(node);
  EXPECT_EQ(TextAt(now, {"status", "phase"}), "x");
  EXPECT_NE(Find(now, {"spec", "unschedulable"}), nullptr);
}

TEST_F(SimWritesTest, GenerationCountsChangesOfTheSpec) {
  const std::string target = "/apis/stable.example.com/v1/namespaces/default/crontabs/cron-0";
  Call("PATCH", target, R"({"metadata":{"labels":{"a":"b"}}})", kMerge);
  EXPECT_EQ(Find(Tree(target), {"metadata", "generation"})->get_int64(), 1);
  Call("PATCH", target, R"({"spec":{"replicas":5}})", kMerge);
  EXPECT_EQ(Find(Tree(target), {"metadata", "generation"})->get_int64(), 2);
}

TEST_F(SimWritesTest, FinalizersHoldADeletionBack) {
  const std::string target = std::string(kConfigMaps) + "/a";
  Call("POST", kConfigMaps, R"({"metadata":{"name":"a","finalizers":["x/y"]}})");
  EXPECT_THAT(Call("DELETE", target).body, HasSubstr("deletionTimestamp"));
  EXPECT_EQ(Call("GET", target).status, 200);
  Call("PATCH", target, R"({"metadata":{"finalizers":null}})", kMerge);
  EXPECT_EQ(Call("GET", target).status, 404);
}

TEST_F(SimWritesTest, DeletionsHonourPreconditions) {
  CreateConfigMap("a");
  EXPECT_EQ(Call("DELETE", std::string(kConfigMaps) + "/a", R"({"preconditions":{"uid":"other"}})")
                .status,
            409);
  EXPECT_EQ(Call("DELETE", std::string(kConfigMaps) + "/a").status, 200);
  EXPECT_EQ(Call("DELETE", std::string(kConfigMaps) + "/a").status, 404);
}

TEST_F(SimWritesTest, ANamespaceTakesItsContentsAlong) {
  Call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"lab"}})");
  Call("POST", "/api/v1/namespaces/lab/configmaps", R"({"metadata":{"name":"a"}})");
  Call("DELETE", "/api/v1/namespaces/lab");
  EXPECT_EQ(Call("GET", "/api/v1/namespaces/lab/configmaps/a").status, 404);
}

TEST_F(SimWritesTest, ACrdBringsAndTakesItsType) {
  Call(
      "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
      R"({"metadata":{"name":"widgets.lab"},"spec":{"group":"lab","scope":"Namespaced",)"
      R"("names":{"plural":"widgets","singular":"widget","kind":"Widget"},"versions":[{"name":"v1"}]}})");
  const auto watch = StartWatch("/apis/lab/v1/widgets?watch=1");
  ASSERT_NE(watch, nullptr);
  EXPECT_EQ(Call("POST", "/apis/lab/v1/namespaces/default/widgets", R"({"metadata":{"name":"w"}})")
                .status,
            201);
  Call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.lab");
  EXPECT_THAT(Lines(*watch), ElementsAre("ADDED w", "DELETED w"));
  EXPECT_EQ(watch->ended(), Watch::Ending::kClean);
  EXPECT_EQ(Call("GET", "/apis/lab/v1/widgets").status, 404);
}

TEST_F(SimWritesTest, ProtobufBodiesOfCommonKindsAreUnderstood) {
  // Unknown{TypeMeta{v1, ConfigMap}, ConfigMap{ObjectMeta{name a}, data{k: v}}}
  const std::string body =
      "k8s\0\x0a\x0f\x0a\x02v1\x12\x09"
      "ConfigMap\x12\x0d\x0a\x03\x0a\x01"
      "a\x12\x06\x0a\x01k\x12\x01v"s;
  const auto parsed = ParseProtobufBody(body);
  ASSERT_TRUE(parsed.ok()) << Message(parsed.status());
  EXPECT_EQ(ToText(*parsed),
            R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"k":"v"}})");
  EXPECT_EQ(Call("POST", kConfigMaps, body, "application/vnd.kubernetes.protobuf").status, 201);
  EXPECT_EQ(
      Call("POST", kConfigMaps, "k8s\0\x0a\x01"s, "application/vnd.kubernetes.protobuf").status,
      415);
  for (size_t cut = 0; cut < body.size(); ++cut) (void)ParseProtobufBody(body.substr(0, cut));
}

}  // namespace
}  // namespace weir::sim
