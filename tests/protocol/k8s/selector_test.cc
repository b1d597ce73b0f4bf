#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"

namespace weir {
namespace {

bool LabelsMatch(std::string_view selector, std::string_view labels) {
  const auto parsed = LabelSelector::Parse(selector);
  EXPECT_TRUE(parsed.ok()) << selector;
  return parsed.ok() && parsed->Matches(LabelsView(labels));
}

TEST(LabelSelectorTest, MatchesAsKubernetesDoes) {
  constexpr std::string_view kWeb = R"({"app":"web","tier":"5","x/y":""})";
  for (const char* yes :
       {"", "app=web", "app==web", "app in (api,web)", "tier>4", "tier<6", "x/y",
        "x/y=", "!missing", "missing!=a", "missing notin (a)", "app=web,tier=5", " app = web "}) {
    EXPECT_TRUE(LabelsMatch(yes, kWeb)) << yes;
  }
  for (const char* no : {"app=api", "app!=web", "app notin (web)", "tier>5", "app>1", "missing",
                         "!app", "missing=", "app in ()", "app=web,tier=6"}) {
    EXPECT_FALSE(LabelsMatch(no, kWeb)) << no;
  }
}

TEST(LabelSelectorTest, RefusesWhatUpstreamRefuses) {
  for (const char* bad :
       {",", "a,", "a b", "a=b c", "!a=b", "a in", "a=(b)", "a>abc", "a=b!", "a=-b", "a/b/c=d"}) {
    EXPECT_FALSE(LabelSelector::Parse(bad).ok()) << bad;
  }
}

TEST(LabelSelectorTest, CanonicalTextTellsSelectorsApart) {
  const auto canonical = [](std::string_view text) {
    return LabelSelector::Parse(text)->Canonical();
  };
  EXPECT_EQ(canonical("b=2,a=1"), canonical("a=1,b=2"));
  EXPECT_EQ(canonical("a in (y,x)"), canonical("a in (x,y)"));
  EXPECT_NE(canonical("a"), canonical("!a"));
  EXPECT_NE(canonical("a=b"), canonical("a!=b"));
  EXPECT_NE(canonical("a in (b,c)"), canonical("a in (b),a in (c)"));
}

TEST(FieldSelectorTest, TermsAreSortedAndEscapesTakenOff) {
  const auto selector = FieldSelector::Parse("spec.nodeName=n1,metadata.name!=a\\,b");
  ASSERT_TRUE(selector.ok());
  ASSERT_EQ(selector->requirements().size(), 2u);
  EXPECT_EQ(selector->requirements()[0].field, "metadata.name");
  EXPECT_FALSE(selector->requirements()[0].equal);
  EXPECT_EQ(selector->requirements()[0].value, "a,b");
  EXPECT_EQ(selector->RequiredValue("spec.nodeName"), "n1");
  EXPECT_EQ(selector->RequiredValue("metadata.name"), std::nullopt);
}

TEST(FieldSelectorTest, RefusesWhatUpstreamRefuses) {
  for (const char* bad : {"foo", "metadata.name=a=b", "metadata.name=a\\x"}) {
    EXPECT_FALSE(FieldSelector::Parse(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace weir
