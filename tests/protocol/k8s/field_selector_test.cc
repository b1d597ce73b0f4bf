#include "protocol/k8s/field_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::ElementsAre;
using Requirement = FieldSelector::Requirement;

std::vector<Requirement> Requirements(std::string_view text) {
  const auto selector = FieldSelector::Parse(text);
  EXPECT_TRUE(selector.ok()) << text;
  return selector.ok() ? selector->requirements() : std::vector<Requirement>();
}

TEST(FieldSelectorTest, TermsAreSortedAndEscapesTakenOff) {
  EXPECT_THAT(Requirements("spec.nodeName=n1,metadata.name!=a\\,b"),
              ElementsAre(Requirement{"metadata.name", false, "a,b"},
                          Requirement{"spec.nodeName", true, "n1"}));
  EXPECT_THAT(Requirements(R"(a=\\\=\,)"), ElementsAre(Requirement{"a", true, R"(\=,)"}));
}

TEST(FieldSelectorTest, OperatorsAreReadAsUpstreamDoes) {
  EXPECT_THAT(Requirements("a=b"), ElementsAre(Requirement{"a", true, "b"}));
  EXPECT_THAT(Requirements("a==b"), ElementsAre(Requirement{"a", true, "b"}));
  EXPECT_THAT(Requirements("a!=b"), ElementsAre(Requirement{"a", false, "b"}));
  EXPECT_THAT(Requirements("a="), ElementsAre(Requirement{"a", true, ""}));
  EXPECT_THAT(Requirements("a=!b"), ElementsAre(Requirement{"a", true, "!b"}));
  EXPECT_THAT(Requirements("a!!=b"), ElementsAre(Requirement{"a!", false, "b"}));
  EXPECT_THAT(Requirements(" a = b"), ElementsAre(Requirement{" a ", true, " b"}));
}

TEST(FieldSelectorTest, EmptyTermsAndLoneOperatorsSelectEverything) {
  for (const char* text : {"", ",", ",,", "=", "==", "!=", "=,,!="}) {
    EXPECT_THAT(Requirements(text), ElementsAre()) << text;
  }
  EXPECT_THAT(Requirements("=b"), ElementsAre(Requirement{"", true, "b"}));
}

TEST(FieldSelectorTest, RefusesWhatUpstreamRefuses) {
  for (const char* bad : {"foo", "a=b,foo", "metadata.name=a=b", "metadata.name=a\\x", "a=b\\",
                          "a===b", "a!==b", "a=\xc3\xa9"}) {
    EXPECT_FALSE(FieldSelector::Parse(bad).ok()) << bad;
  }
}

TEST(FieldSelectorTest, TheRequiredValueIsTheFirstInSortedOrder) {
  const auto selector = FieldSelector::Parse("metadata.name=b,metadata.name=a,metadata.name!=0");
  EXPECT_EQ(selector->RequiredValue("metadata.name"), "a");
  EXPECT_EQ(selector->RequiredValue("spec.nodeName"), std::nullopt);
  EXPECT_EQ(FieldSelector::Parse("metadata.name!=a")->RequiredValue("metadata.name"), std::nullopt);
}

TEST(FieldSelectorTest, AnAbsentFieldIsTheEmptyString) {
  const auto matches = [](std::string_view text, std::string_view node) {
    return FieldSelector::Parse(text)->Matches([node](std::string_view) { return node; });
  };
  EXPECT_TRUE(matches("spec.nodeName=", ""));
  EXPECT_TRUE(matches("spec.nodeName!=n1", ""));
  EXPECT_TRUE(matches("spec.nodeName=n1", "n1"));
  EXPECT_FALSE(matches("spec.nodeName=n1", "n2"));
  EXPECT_FALSE(matches("spec.nodeName=n1,spec.nodeName=n2", "n1"));
  EXPECT_TRUE(matches("", "n1"));
}

TEST(FieldSelectorTest, CanonicalTextTellsSelectorsApart) {
  const auto canonical = [](std::string_view text) {
    return FieldSelector::Parse(text)->Canonical();
  };
  EXPECT_EQ(canonical("b=2,a==1"), canonical("a=1,b=2"));
  const char* different[] = {"", "a=", "a!=", "a=b", "a!=b", R"(a=b\,c\=d)", "a=b,c=d", R"(a=b\\)"};
  for (const char* a : different) {
    for (const char* b : different) {
      if (a == b) continue;
      EXPECT_NE(canonical(a), canonical(b)) << a << " and " << b;
    }
  }
  EXPECT_EQ(*FieldSelector::Parse(canonical(R"(a=b\,c\=d)")),
            *FieldSelector::Parse(R"(a=b\,c\=d)"));
}

}  // namespace
}  // namespace weir
