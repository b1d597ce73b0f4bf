#include "protocol/k8s/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

std::vector<std::string> Settings(std::string_view query) {
  std::vector<std::string> texts;
  const auto settings = ParseQueryStrictly(query);
  if (!settings) return {"refused"};
  for (const QuerySetting& setting : *settings) texts.push_back(setting.name + ":" + setting.value);
  return texts;
}

TEST(QueryTest, SettingsAreDecodedInOrder) {
  EXPECT_THAT(Settings("a=1&b=x%3Dy+z&a=2&c&d="),
              testing::ElementsAre("a:1", "b:x=y z", "a:2", "c:", "d:"));
  EXPECT_THAT(Settings(""), testing::IsEmpty());
  EXPECT_THAT(Settings("&&a=1&"), testing::ElementsAre("a:1"));
  EXPECT_THAT(Settings("%61=a=b"), testing::ElementsAre("a:a=b"));
}

TEST(QueryTest, DoubtfulWritingIsRefused) {
  for (const char* query : {"a=%", "a=%4", "a=%zz", "%gg=1", "a=1;b=2", "a=1&;", "a=1#b", "a=\x01",
                            "a=\xc3\xa9", "a= b"}) {
    EXPECT_THAT(Settings(query), testing::ElementsAre("refused")) << query;
  }
}

TEST(QueryTest, TheFirstValueThatDecodesCounts) {
  EXPECT_EQ(FirstQueryValue("a=1&a=2", "a"), "1");
  EXPECT_EQ(FirstQueryValue("a=%zz&a=x;y&a=2", "a"), "2");
  EXPECT_EQ(FirstQueryValue("a&a=2", "a"), "");
  EXPECT_EQ(FirstQueryValue("A=1", "a"), std::nullopt);
  EXPECT_EQ(FirstQueryValue("", ""), std::nullopt);
}

}  // namespace
}  // namespace weir
