#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/sim/sim_fixture.h"

namespace weir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class SimReadsTest : public SimFixture, public ::testing::Test {};

TEST_F(SimReadsTest, BuiltInListsHaveUpstreamsForm) {
  ASSERT_TRUE(filled_.ok()) << Message(filled_);
  const std::string body = Call("GET", "/api/v1/pods").body;
  EXPECT_THAT(body,
              StartsWith(R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" +
                         Revision() + R"("},"items":[{"metadata":{"name":")"));
  EXPECT_EQ(body.back(), '\n');
}

TEST_F(SimReadsTest, CustomResourcesHaveSortedKeysAndTypedItems) {
  EXPECT_THAT(
      Call("GET", "/apis/stable.example.com/v1/crontabs").body,
      StartsWith(
          R"({"apiVersion":"stable.example.com/v1","items":[{"apiVersion":"stable.example.com/v1","kind":"CronTab")"));
}

TEST_F(SimReadsTest, APodWeighsWhatARealOneDoes) {
  const ObjectTree::Sums sums = store_.Find("", "v1", "pods")->tree().sums();
  EXPECT_EQ(sums.objects, 4u);
  EXPECT_GT(sums.rest_bytes / sums.objects, 3000u);
  EXPECT_LT(sums.rest_bytes / sums.objects, 7000u);
}

TEST_F(SimReadsTest, PagesOfARevisionDoNotSeeLaterChanges) {
  CreateConfigMap("a");
  CreateConfigMap("b");
  const Json first = Tree("/api/v1/namespaces/default/configmaps?limit=1");
  CreateConfigMap("c");
  const std::string token(TextAt(first, {"metadata", "continue"}));
  const Json second = Tree("/api/v1/namespaces/default/configmaps?continue=" + token);
  EXPECT_EQ(TextAt(second, {"metadata", "resourceVersion"}),
            TextAt(first, {"metadata", "resourceVersion"}));
  EXPECT_EQ(Find(second, {"items"})->get_array().size(), 1u);
}

TEST_F(SimReadsTest, RevisionsDecideWhichStateIsListed) {
  CreateConfigMap("a");
  const std::string before = Revision();
  CreateConfigMap("b");
  const auto names = [&](const std::string& query) {
    std::string text;
    const Json list = Tree("/api/v1/namespaces/default/configmaps?" + query);
    for (const Json& item : Find(list, {"items"})->get_array())
      text += TextAt(item, {"metadata", "name"});
    return text;
  };
  EXPECT_EQ(names("resourceVersion=" + before + "&resourceVersionMatch=Exact"), "a");
  EXPECT_EQ(names("resourceVersion=" + before), "ab") << "not older than";
  EXPECT_EQ(names("resourceVersion=" + before + "&limit=5"), "a") << "the legacy rule";
  EXPECT_EQ(names("resourceVersion=0&limit=1"), "ab") << "the limit is ignored";
}

TEST_F(SimReadsTest, ARevisionThatDoesNotExistYetIsWaitedForAndThenRefused) {
  const std::string target = "/api/v1/pods?resourceVersionMatch=NotOlderThan&resourceVersion=99999";
  const Answer answer = Ask("GET", target);
  ASSERT_TRUE(answer.wait_for.has_value());
  EXPECT_EQ(answer.wait_for->value, 99999u);
  EXPECT_EQ(Call("GET", target).status, 504);
}

TEST_F(SimReadsTest, ForgottenRevisionsAreGone) {
  CreateConfigMap("a");
  const std::string old = Revision();
  CreateConfigMap("b");
  store_.Compact();
  EXPECT_EQ(
      Call("GET", "/api/v1/configmaps?resourceVersionMatch=Exact&resourceVersion=" + old).status,
      410);
  const auto watch = StartWatch("/api/v1/configmaps?watch=1&resourceVersion=" + old);
  EXPECT_THAT(Lines(*watch), ElementsAre("ERROR"));
  EXPECT_EQ(watch->ended(), Watch::Ending::kClean);
}

TEST_F(SimReadsTest, FieldsThatAreNotIndexedAreReadFromTheBody) {
  EXPECT_EQ(
      Find(Tree("/api/v1/pods?fieldSelector=status.phase%3DRunning,spec.nodeName%3Dnode-00001"),
           {"items"})
          ->get_array()
          .size(),
      2u);
  EXPECT_EQ(Call("GET", "/api/v1/pods?fieldSelector=spec.foo%3D1").status, 400);
}

TEST_F(SimReadsTest, AWatchTellsWhatEntersStaysAndLeavesASelector) {
  const auto watch =
      StartWatch("/api/v1/configmaps?watch=1&labelSelector=app%3Dx&resourceVersion=" + Revision());
  const auto label = [&](std::string_view value) {
    Call("PATCH", "/api/v1/namespaces/default/configmaps/a",
         R"({"metadata":{"labels":{"app":")" + std::string(value) + R"("}}})",
         "application/merge-patch+json");
  };
  CreateConfigMap("a");
  CreateConfigMap("unrelated");
  EXPECT_THAT(Lines(*watch), IsEmpty());
  label("x");
  EXPECT_THAT(Lines(*watch), ElementsAre("ADDED a"));
  Call("PATCH", "/api/v1/namespaces/default/configmaps/a", R"({"data":{"k":"v"}})",
       "application/merge-patch+json");
  label("y");
  label("x");
  Delete("a");
  EXPECT_THAT(Lines(*watch), ElementsAre("MODIFIED a", "DELETED a", "ADDED a", "DELETED a"));
}

TEST_F(SimReadsTest, TheStateThatLeftIsThePreviousOneWithTheNewRevision) {
  CreateConfigMap("a", R"({"app":"x"})");
  const auto watch =
      StartWatch("/api/v1/configmaps?watch=1&labelSelector=app%3Dx&resourceVersion=" + Revision());
  Call("PATCH", "/api/v1/namespaces/default/configmaps/a", R"({"metadata":{"labels":{"app":"y"}}})",
       "application/merge-patch+json");
  std::string text;
  watch->Take(1 << 16, text);
  EXPECT_THAT(text, HasSubstr(R"("app":"x")"));
  EXPECT_THAT(text, HasSubstr(R"("resourceVersion":")" + Revision() + R"(")"));
}

TEST_F(SimReadsTest, InitialEventsEndWithAnAnnotatedBookmark) {
  CreateConfigMap("a");
  const auto watch =
      StartWatch("/api/v1/namespaces/default/configmaps?watch=1&allowWatchBookmarks=true");
  std::string text;
  watch->Take(1 << 20, text);
  watch->Take(1 << 20, text);
  EXPECT_THAT(text, HasSubstr(R"("annotations":{"k8s.io/initial-events-end":"true"})"));
}

TEST_F(SimReadsTest, AShortWatchBringsABookmarkOnlyWhereTheRevisionHasMovedOn) {
  const std::string query = "watch=1&allowWatchBookmarks=true&timeoutSeconds=3&resourceVersion=";
  const auto quiet = StartWatch("/api/v1/secrets?" + query + Revision());
  const auto moved = StartWatch("/api/v1/secrets?" + query + Revision());
  quiet->Tick(now_ + std::chrono::milliseconds(1100));
  EXPECT_THAT(Lines(*quiet), IsEmpty());
  CreateConfigMap("a");
  Call("GET", "/api/v1/secrets?limit=1");  // A consistent read moves the type's own revision.
  moved->Tick(now_ + std::chrono::milliseconds(900));
  EXPECT_THAT(Lines(*moved), IsEmpty());
  moved->Tick(now_ + std::chrono::milliseconds(1100));
  EXPECT_THAT(Lines(*moved), ElementsAre("BOOKMARK"));
}

TEST_F(SimReadsTest, AWatchOfTwoSecondsBringsNoBookmark) {
  const auto watch = StartWatch(
      "/api/v1/secrets?watch=1&allowWatchBookmarks=true&timeoutSeconds=2&resourceVersion=" +
      Revision());
  CreateConfigMap("a");
  Call("GET", "/api/v1/secrets?limit=1");
  watch->Tick(now_ + std::chrono::milliseconds(1900));
  EXPECT_THAT(Lines(*watch), IsEmpty());
}

TEST_F(SimReadsTest, AWatcherThatTheHistoryHasPassedIsEndedCleanly) {
  const auto watch = StartWatch("/api/v1/configmaps?watch=1&resourceVersion=" + Revision());
  for (int i = 0; i < 101; ++i) CreateConfigMap("c" + std::to_string(i));
  EXPECT_THAT(Lines(*watch), IsEmpty());
  EXPECT_EQ(watch->ended(), Watch::Ending::kClean);
}

TEST_F(SimReadsTest, GetAnswersWithTheWholeObjectOrNotFound) {
  EXPECT_THAT(Call("GET", "/api/v1/nodes/node-00000").body,
              StartsWith(R"({"kind":"Node","apiVersion":"v1","metadata":{"name":"node-00000")"));
  EXPECT_EQ(
      Call("GET", "/api/v1/nodes/none").body,
      R"({"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"nodes \"none\" not found",)"
      R"("reason":"NotFound","details":{"name":"none","kind":"nodes"},"code":404})"
      "\n");
}

TEST_F(SimReadsTest, DiscoveryNamesWhatIsServed) {
  EXPECT_THAT(Call("GET", "/api/v1").body,
              HasSubstr(R"("name":"pods","singularName":"pod","namespaced":true)"));
  EXPECT_THAT(Call("GET", "/apis").body, HasSubstr(R"("groupVersion":"stable.example.com/v1")"));
  EXPECT_THAT(Call("GET", "/apis/authorization.k8s.io/v1").body, HasSubstr("subjectaccessreviews"));
  EXPECT_EQ(Call("GET", "/apis/none/v1").status, 404);
  EXPECT_EQ(Call("GET", "/apis/none/v1/things").body, "404 page not found\n");
}

}  // namespace
}  // namespace weir::sim
