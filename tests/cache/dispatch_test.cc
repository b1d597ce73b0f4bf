#include "cache/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "cache/transition.h"
#include "cache/watcher.h"
#include "tests/cache/test_objects.h"
#include "tests/fakes/log_builder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

Filter Wants(std::string ns, std::string_view labels, std::string_view fields) {
  return Filter(std::move(ns), LabelSelector::Parse(labels).value(),
                FieldSelector::Parse(fields).value(), PodForm()->fields);
}

class DispatchTest : public ::testing::Test {
 protected:
  View& Join(std::string ns, std::string_view labels = "", std::string_view fields = "") {
    View& view = dispatch_.Join(Wants(ns, labels, fields), Form());
    std::string text = ns;
    for (const std::string_view part : {labels, fields}) {
      if (!part.empty()) text += (text.empty() ? "" : " ") + std::string(part);
    }
    names_[&view] = text.empty() ? "all" : text;
    return view;
  }
  std::vector<std::string> Offered(const BatchRef& batch) {
    std::vector<std::string> names;
    dispatch_.ForEachCandidate(batch->events.back(),
                               [&](View& view) { names.push_back(names_[&view]); });
    return names;
  }

  Dispatch dispatch_;
  std::map<const View*, std::string> names_;
  LogBuilder log_;
};

TEST_F(DispatchTest, EqualFiltersShareAView) {
  View& first = Join("ns", "app=web", "spec.nodeName=n1");
  EXPECT_EQ(&Join("ns", "app=web", "spec.nodeName=n1"), &first);
  EXPECT_NE(&Join("ns", "app=api", "spec.nodeName=n1"), &first);
  EXPECT_NE(&Join("other", "app=web", "spec.nodeName=n1"), &first);
  EXPECT_EQ(dispatch_.views(), 3u);
}

TEST_F(DispatchTest, AnEventIsOfferedOnlyWhereItsPropertiesLead) {
  Join("");
  Join("", "app!=web");
  for (const char* ns : {"a", "b"}) Join(ns);
  for (const char* name : {"x", "y"}) Join("", "", std::string("metadata.name=") + name);
  for (const char* ns : {"a", "b"}) Join(ns, "", "metadata.name=x");
  for (const char* node : {"n1", "n2"}) Join("", "", std::string("spec.nodeName=") + node);
  for (const char* app : {"web", "api"}) Join("", std::string("app=") + app);
  EXPECT_THAT(Offered(log_.Put("a/x", {.node = "n1", .labels = R"("app":"web")"}).Cut()),
              UnorderedElementsAre("all", "app!=web", "a", "metadata.name=x", "a metadata.name=x",
                                   "spec.nodeName=n1", "app=web"));
}

TEST_F(DispatchTest, AnObjectThatMovesIsOfferedToWhereItWasAndWhereItIsOnceEach) {
  for (const char* node : {"n1", "n2", "n3"}) Join("", "", std::string("spec.nodeName=") + node);
  for (const char* app : {"a", "b"}) Join("", std::string("app=") + app);
  log_.Put("n/x", {.node = "n1", .labels = R"("app":"a")"}).Cut();
  EXPECT_THAT(Offered(log_.Put("n/x", {.node = "n2", .labels = R"("app":"b")"}).Cut()),
              UnorderedElementsAre("spec.nodeName=n1", "spec.nodeName=n2", "app=a", "app=b"));
  EXPECT_THAT(Offered(log_.Put("n/x", {.node = "n2"}).Cut()),
              UnorderedElementsAre("spec.nodeName=n2", "app=b"));
}

TEST_F(DispatchTest, PodsWithoutANodeHaveABucketOfTheirOwn) {
  Join("", "", "spec.nodeName=");
  Join("", "", "spec.nodeName=n1");
  EXPECT_THAT(Offered(log_.Put("n/x").Cut()), ElementsAre("spec.nodeName="));
}

TEST_F(DispatchTest, ARemovedViewIsNotOfferedAndItsNeighboursStillAre) {
  std::vector<View*> views;
  for (const char* labels : {"a!=1", "b!=1", "c!=1", "d!=1"}) views.push_back(&Join("n", labels));
  const auto offered = [&] { return Offered(log_.Put("n/x").Cut()); };
  dispatch_.Remove(*views[0]);  // The first of the bucket.
  EXPECT_THAT(offered(), UnorderedElementsAre("n b!=1", "n c!=1", "n d!=1"));
  dispatch_.Remove(*views[2]);
  EXPECT_THAT(offered(), UnorderedElementsAre("n b!=1", "n d!=1"));
  dispatch_.Remove(*views[3]);
  dispatch_.Remove(*views[1]);
  EXPECT_THAT(offered(), IsEmpty());
  EXPECT_EQ(dispatch_.views(), 0u);
}

TEST_F(DispatchTest, BeyondTheBoundOfLabelKeysViewsAreFoundByNamespace) {
  for (size_t i = 0; i < Dispatch::kMaxLabelKeys; ++i) Join("", "k" + std::to_string(i) + "=v");
  Join("n", "further=v");
  EXPECT_THAT(Offered(log_.Put("n/x").Cut()), ElementsAre("n further=v"));
  EXPECT_THAT(Offered(log_.Put("n/y", {.labels = R"("further":"v","k3":"v")"}).Cut()),
              UnorderedElementsAre("n further=v", "k3=v"));
}

TEST_F(DispatchTest, TenThousandNodesCostAnEventOneCandidate) {
  for (int i = 0; i < 10000; ++i) Join("", "", "spec.nodeName=node-" + std::to_string(i));
  EXPECT_THAT(Offered(log_.Put("n/x", {.node = "node-77"}).Cut()),
              ElementsAre("spec.nodeName=node-77"));
}

TEST_F(DispatchTest, WhatAChangeMeansDependsOnWhetherTheFilterHeldBeforeAndAfter) {
  const Filter web = Wants("", "app=web", "");
  const PodShape in{.labels = R"("app":"web")"}, out{.labels = R"("app":"api")"};
  const auto meaning = [&](const Filter& filter) {
    return TransitionOf(filter, log_.Cut()->events.back());
  };
  log_.Put("n/x", out);
  EXPECT_EQ(meaning(web), Transition::kNone);
  log_.Put("n/x", in);
  EXPECT_EQ(meaning(web), Transition::kEnters);
  log_.Put("n/x", in);
  EXPECT_EQ(meaning(web), Transition::kStays);
  log_.Put("n/x", out);
  EXPECT_EQ(meaning(web), Transition::kLeaves);
  log_.Delete("n/x");
  EXPECT_EQ(meaning(web), Transition::kNone);
  log_.Put("n/x", in);
  EXPECT_EQ(meaning(Filter()), Transition::kEnters);
  log_.Put("n/x", out);
  EXPECT_EQ(meaning(Filter()), Transition::kStays);
  log_.Put("n/x", in);
  log_.Delete("n/x");
  EXPECT_EQ(meaning(web), Transition::kDeleted);
}

}  // namespace
}  // namespace weir
