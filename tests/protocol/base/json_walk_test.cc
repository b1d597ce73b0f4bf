#include "protocol/base/json_walk.h"

#include <string>

#include "gtest/gtest.h"

namespace weir {
namespace {

// The end of `json` as found when it comes in pieces of `piece` bytes, SIZE_MAX when there is none.
size_t EndInPieces(std::string_view json, size_t piece) {
  JsonNesting nesting;
  for (size_t at = 0; at < json.size(); at += piece) {
    const size_t end = nesting.Feed(json.substr(at, piece));
    if (end != JsonNesting::kNotYet) return at + end;
  }
  return JsonNesting::kNotYet;
}

TEST(JsonNestingTest, FindsTheEndHoweverTheBytesAreCut) {
  std::string json = R"({"a":"}","b":["]","\"}","\\"],"c":{"d":"\\\"]}"},"e":")";
  json += std::string(200, '{') + R"(","f":[[[{}]]],"g":"\\\\\\\\"})";
  const std::string text = json + R"(,{"next":1})";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    ASSERT_EQ(EndInPieces(text, piece), json.size()) << piece;
  }
}

TEST(JsonNestingTest, BackslashesAtTheEndOfABlockEscapeTheFirstByteOfTheNext) {
  for (size_t fill = 50; fill < 70; ++fill) {
    for (size_t backslashes = 0; backslashes < 5; ++backslashes) {
      const std::string open =
          R"({"a":")" + std::string(fill, 'x') + std::string(backslashes, '\\');
      // With an odd number the quote belongs to the string, and another one has to end it.
      const std::string json = open + (backslashes % 2 == 1 ? "\"}\"}" : "\"}");
      ASSERT_EQ(EndInPieces(json, json.size()), json.size()) << fill << " " << backslashes;
      ASSERT_EQ(EndInPieces(json, 7), json.size()) << fill << " " << backslashes;
    }
  }
}

TEST(JsonNestingTest, DepthIsBounded) {
  JsonNesting nesting;
  EXPECT_EQ(nesting.Feed(std::string(kMaxJsonDepth, '[')), JsonNesting::kNotYet);
  EXPECT_FALSE(nesting.failed());
  EXPECT_EQ(nesting.Feed("["), JsonNesting::kNotYet);
  EXPECT_TRUE(nesting.failed());
}

TEST(JsonWalkTest, VisitsMembersInOrderAndSkipsWhatIsNotAskedFor) {
  const std::string_view text =
      R"({"s":"a\"b","n":-1.5e3,"t":true,"o":{"x":[1,{"y":"}"}]},"e":{},"z":""})";
  JsonWalk walk(text);
  ASSERT_TRUE(walk.EnterObject());
  std::string seen;
  for (std::string_view key; walk.NextKey(key);) {
    seen.append(key).append("=").append(walk.Skip()).append(" ");
  }
  EXPECT_FALSE(walk.failed());
  EXPECT_TRUE(walk.at_end());
  EXPECT_EQ(seen, R"(s="a\"b" n=-1.5e3 t=true o={"x":[1,{"y":"}"}]} e={} z="" )");
}

TEST(JsonWalkTest, EntersNestedObjectsWithoutRecursion) {
  JsonWalk walk(R"({"a":{"b":{"c":"d"}},"e":1})");
  std::string_view key;
  ASSERT_TRUE(walk.EnterObject() && walk.NextKey(key) && walk.EnterObject() && walk.NextKey(key));
  ASSERT_TRUE(walk.EnterObject() && walk.NextKey(key));
  EXPECT_EQ(key, "c");
  EXPECT_EQ(walk.String(), "d");
  EXPECT_FALSE(walk.NextKey(key));
  EXPECT_FALSE(walk.NextKey(key));
  ASSERT_TRUE(walk.NextKey(key));
  EXPECT_EQ(key, "e");
  EXPECT_EQ(walk.Skip(), "1");
  EXPECT_FALSE(walk.NextKey(key));
  EXPECT_FALSE(walk.failed());
}

TEST(JsonWalkTest, MalformedTextFailsAtEveryCut) {
  const std::string text = R"({"a":{"b":[1,"\\"]},"c":"d","e":null})";
  for (size_t length = 0; length < text.size(); ++length) {
    JsonWalk walk(std::string_view(text).substr(0, length));
    if (!walk.EnterObject()) continue;
    for (std::string_view key; walk.NextKey(key);) walk.Skip();
    EXPECT_TRUE(walk.failed()) << length;
  }
  for (const char* bad : {"{,}", R"({"a"})", R"({"a":})", R"({"a":1,})", R"({"a":1 ,"b":2})",
                          R"({"a":nul})", R"({"a":1"b":2})", R"({a:1})", R"({"a":x{"b":1})"}) {
    JsonWalk walk(bad);
    ASSERT_TRUE(walk.EnterObject());
    for (std::string_view key; walk.NextKey(key);) walk.Skip();
    EXPECT_TRUE(walk.failed()) << bad;
  }
}

TEST(JsonWalkTest, PlainStringsHaveNoEscapes) {
  EXPECT_EQ(JsonWalk(R"("a\nb")").String(), R"(a\nb)");
  JsonWalk walk(R"("a\nb")");
  walk.PlainString();
  EXPECT_TRUE(walk.failed());
}

}  // namespace
}  // namespace weir
