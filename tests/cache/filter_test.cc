#include "cache/filter.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cache/test_objects.h"

namespace weir {
namespace {

using ::testing::Pair;

Filter Make(std::string space, std::string_view labels, std::string_view fields) {
  return Filter(std::move(space), LabelSelector::Parse(labels).value(),
                FieldSelector::Parse(fields).value(), PodForm()->fields);
}

const ObjectRef& Web() {
  static const ObjectRef object =
      MakeObject("shop/web", 5, {.labels = R"({"app":"web","tier":"2"})", .node = "n1"});
  return object;
}

bool Matches(std::string space, std::string_view labels, std::string_view fields) {
  return Make(std::move(space), labels, fields).Matches(*Web());
}

TEST(FilterTest, ScopeAndBothSelectorsMustMatch) {
  EXPECT_TRUE(Filter().Matches(*Web()));
  EXPECT_TRUE(Matches("shop", "app=web", "spec.nodeName=n1"));
  EXPECT_FALSE(Matches("shop2", "app=web", "spec.nodeName=n1"));
  EXPECT_FALSE(Matches("shop", "app=db", "spec.nodeName=n1"));
  EXPECT_FALSE(Matches("shop", "app=web", "spec.nodeName=n2"));
}

TEST(FilterTest, FieldsAreLookedUpInTheObject) {
  EXPECT_TRUE(Matches("", "", "metadata.name=web,metadata.namespace=shop"));
  EXPECT_FALSE(Matches("", "", "metadata.name=db"));
  EXPECT_FALSE(Matches("", "", "metadata.namespace!=shop"));
  EXPECT_TRUE(Matches("", "", "spec.host=n1"));
  EXPECT_FALSE(Matches("", "", "spec.nodeName="));
  EXPECT_TRUE(Make("", "", "spec.nodeName=").Matches(*MakeObject("shop/pending", 1)));
  EXPECT_FALSE(Make("", "", "metadata.name=a,metadata.name=b").Matches(*MakeObject("x/a", 1)));
}

TEST(FilterTest, AbsentLabelsMatchOnlyNegativeTerms) {
  const ObjectRef bare = MakeObject("shop/bare", 1);
  EXPECT_TRUE(Make("", "tier!=1,!app", "").Matches(*bare));
  EXPECT_FALSE(Make("", "app", "").Matches(*bare));
}

TEST(FilterTest, TheRangeOfANamespaceIsItsPrefix) {
  EXPECT_THAT(Filter().KeyRange(), Pair("", ""));
  EXPECT_THAT(Make("a", "x=y", "").KeyRange(), Pair("a/", "a0"));
  EXPECT_THAT(Make("", "", "metadata.namespace=a").KeyRange(), Pair("a/", "a0"));
  EXPECT_THAT(Make("", "", "metadata.namespace=").KeyRange(), Pair("", ""));
  EXPECT_THAT(Make("", "", "metadata.namespace!=a").KeyRange(), Pair("", ""));
}

TEST(FilterTest, TheRangeOfANameInANamespaceIsOneKey) {
  EXPECT_THAT(Make("a", "", "metadata.name=x").KeyRange(), Pair("a/x", std::string("a/x\0", 4)));
  EXPECT_THAT(Make("", "", "metadata.name=x,metadata.namespace=a").KeyRange(),
              Pair("a/x", std::string("a/x\0", 4)));
  EXPECT_THAT(Make("", "", "metadata.name=x").KeyRange(), Pair("", ""));
}

TEST(FilterTest, EqualFiltersHaveEqualText) {
  EXPECT_EQ(Make("a", "x=y,b", "metadata.name=n").Canonical(),
            Make("a", "b, x == y", "metadata.name==n").Canonical());
  EXPECT_NE(Make("a", "b", "").Canonical(), Make("", "b", "").Canonical());
  EXPECT_NE(Make("a", "", "").Canonical(), Make("", "a", "").Canonical());
}

TEST(FilterTest, EverythingAndScopeOnlyAreTold) {
  EXPECT_TRUE(Filter().everything());
  EXPECT_TRUE(Make("a", "", "").scope_only());
  EXPECT_FALSE(Make("a", "", "").everything());
  EXPECT_FALSE(Make("", "a", "").scope_only());
  EXPECT_FALSE(Make("", "", "metadata.name=x").scope_only());
}

TEST(FilterTest, OfARequestHasItsScopeAndSelectors) {
  ReadRequest request;
  request.namespace_ = "shop";
  request.label_selector = LabelSelector::Parse("app=web").value();
  request.field_selector = FieldSelector::Parse("spec.nodeName=n1").value();
  EXPECT_EQ(Filter::Of(request, PodForm()->fields).Canonical(),
            Make("shop", "app=web", "spec.nodeName=n1").Canonical());
}

}  // namespace
}  // namespace weir
