#include "protocol/k8s/label_selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using testing::ElementsAre;
using Operator = LabelSelector::Operator;

LabelSelector Parsed(std::string_view text) {
  auto selector = LabelSelector::Parse(text);
  EXPECT_TRUE(selector.ok()) << text;
  return selector.value_or(LabelSelector());
}

std::string Canonical(std::string_view text) { return Parsed(text).Canonical(); }

bool LabelsMatch(std::string_view selector, std::string_view labels) {
  return Parsed(selector).Matches(LabelsView(labels));
}

TEST(LabelSelectorTest, MatchesAsKubernetesDoes) {
  constexpr std::string_view kWeb = R"({"app":"web","tier":"5","x/y":""})";
  for (const char* yes : {"",
                          " ",
                          "app=web",
                          "app==web",
                          "app in (api,web)",
                          "app in(web)",
                          "tier>4",
                          "tier<6",
                          "x/y",
                          "x/y=",
                          "x/y==",
                          "x/y in ()",
                          "x/y in (,)",
                          "x/y in (a,)",
                          "x/y in (,a)",
                          "!missing",
                          "missing!=a",
                          "missing!=",
                          "missing notin (a)",
                          "app=web,tier=5",
                          " app = web ",
                          "app\t=\nweb",
                          "app!=",
                          "app notin ()",
                          "app,app=web,app!=api"}) {
    EXPECT_TRUE(LabelsMatch(yes, kWeb)) << yes;
  }
  for (const char* no : {"app=api",   "app!=web",       "app notin (web)", "tier>5",  "tier<5",
                         "app>1",     "app<1",          "missing",         "!app",    "missing=",
                         "app in ()", "app=web,tier=6", "app=web,app=api", "x/y!=",   "x/y>0",
                         "missing>1", "missing<1",      "x/y notin (,a)",  "App=web", "app=Web"}) {
    EXPECT_FALSE(LabelsMatch(no, kWeb)) << no;
  }
}

TEST(LabelSelectorTest, NumbersCompareAsNumbersOfSixtyFourBits) {
  EXPECT_TRUE(LabelsMatch("n>9", R"({"n":"10"})"));
  EXPECT_TRUE(LabelsMatch("n<9223372036854775807", R"({"n":"0099"})"));
  EXPECT_FALSE(LabelsMatch("n>0", R"({"n":"9223372036854775808"})"));
  EXPECT_FALSE(LabelsMatch("n>0", R"({"n":"1x"})"));
}

// The fixture of the specification's section 10.
TEST(LabelSelectorTest, SelectsTheObjectsOfTheGoldenVectors) {
  const std::pair<const char*, const char*> objects[] = {
      {"a-b/x", R"({"app":"web","tier":"1"})"},
      {"a/x", R"({"app":"web"})"},
      {"default/nginx-1", R"({"app":"nginx"})"},
      {"default/nginx-2", R"({"app":"nginx","tier":"5"})"},
  };
  const auto selected = [&objects](std::string_view text) {
    std::vector<std::string> keys;
    for (const auto& [key, labels] : objects) {
      if (LabelsMatch(text, labels)) keys.emplace_back(key);
    }
    return keys;
  };
  EXPECT_THAT(selected("tier>1"), ElementsAre("default/nginx-2"));
  EXPECT_THAT(selected("tier!=1"), ElementsAre("a/x", "default/nginx-1", "default/nginx-2"));
  EXPECT_THAT(selected("tier notin (1,5)"), ElementsAre("a/x", "default/nginx-1"));
  EXPECT_THAT(selected("!tier"), ElementsAre("a/x", "default/nginx-1"));
  EXPECT_THAT(selected("app in ()"), ElementsAre());
  EXPECT_THAT(selected("app=web"), ElementsAre("a-b/x", "a/x"));
}

TEST(LabelSelectorTest, KeywordsAreOrdinaryKeysAndValues) {
  constexpr std::string_view kLabels = R"({"in":"notin","notin":"in"})";
  for (const char* yes :
       {"in", "in in (notin)", "notin notin (x)", "in=notin", "notin=in,in", "notin in (in)"}) {
    EXPECT_TRUE(LabelsMatch(yes, kLabels)) << yes;
  }
}

TEST(LabelSelectorTest, RefusesWhatUpstreamRefuses) {
  for (const char* bad : {",",          "a,",        "a b",     "a=b c",
                          "!a=b",       "a in",      "a=(b)",   "a>abc",
                          "a=b!",       "a=-b",      "a/b/c=d", "a,,b",
                          ",a",         "!",         "!!a",     "a!b",
                          "a in b",     "a in (",    "a in (b", "a in (b c)",
                          "a in (=)",   "a in (b))", "()",      "a>",
                          "a<",         "a>-1",      "a>1_0",   "a>9223372036854775808",
                          "a=b=c",      "a===b",     "a!==b",   "a><1",
                          "/a",         "a/",        "A/b",     "a_b/c",
                          "-a",         "a-",        "a.b/",    ".a/b",
                          "a..b/c",     "a=b-",      "a=.b",    "a=b\x01",
                          "a=\xc3\xa9", "a gt 1"}) {
    EXPECT_FALSE(LabelSelector::Parse(bad).ok()) << bad;
  }
  EXPECT_FALSE(LabelSelector::Parse(std::string_view("a\0b", 3)).ok());
}

TEST(LabelSelectorTest, KeysAndValuesHaveUpstreamsBounds) {
  const std::string name(63, 'a');
  std::string prefix;
  while (prefix.size() < 252) prefix += "a.";
  prefix += "b";
  ASSERT_EQ(prefix.size(), 253u);
  EXPECT_TRUE(LabelSelector::Parse(prefix + "/" + name + "=" + name).ok());
  EXPECT_FALSE(LabelSelector::Parse("a" + prefix + "/" + name).ok());
  EXPECT_FALSE(LabelSelector::Parse(name + "a").ok());
  EXPECT_FALSE(LabelSelector::Parse("a=" + name + "a").ok());
}

TEST(LabelSelectorTest, RequirementsAreSortedByKeyAndTheirValuesUnique) {
  const LabelSelector selector = Parsed("b notin (z,y,z),a=1,a!=2,!c");
  const auto& requirements = selector.requirements();
  ASSERT_EQ(requirements.size(), 4u);
  EXPECT_EQ(requirements[0], (LabelSelector::Requirement{"a", Operator::kIn, {"1"}}));
  EXPECT_EQ(requirements[1], (LabelSelector::Requirement{"a", Operator::kNotIn, {"2"}}));
  EXPECT_EQ(requirements[2], (LabelSelector::Requirement{"b", Operator::kNotIn, {"y", "z"}}));
  EXPECT_EQ(requirements[3], (LabelSelector::Requirement{"c", Operator::kDoesNotExist, {}}));
}

TEST(LabelSelectorTest, CanonicalTextTellsSelectorsApart) {
  EXPECT_EQ(Canonical("b=2,a=1"), Canonical("a=1,b=2"));
  EXPECT_EQ(Canonical("a in (y,x)"), Canonical("a in (x,y,x)"));
  EXPECT_EQ(Canonical("a in (x)"), Canonical("a==x"));
  const char* different[] = {"",     "a",   "!a",         "a=b",       "a!=b",
                             "a=",   "a!=", "a in (b,c)", "a in (,b)", "a notin (b,c)",
                             "a>1",  "a<1", "a=1",        "a,b",       "a in (b),a in (c)",
                             "a=b,c"};
  for (const char* a : different) {
    for (const char* b : different) {
      if (a == b) continue;
      EXPECT_NE(Canonical(a), Canonical(b)) << a << " and " << b;
    }
  }
}

TEST(LabelSelectorTest, CanonicalTextParsesToTheSameSelector) {
  for (const char* text : {"", "a", "!a", "a=", "a in ()", "a notin (,x)", "x/y in (b,c),z>5,q<7",
                           "a=b,a!=c,a,in in (notin)"}) {
    EXPECT_EQ(Parsed(Canonical(text)), Parsed(text)) << text;
  }
}

}  // namespace
}  // namespace weir
