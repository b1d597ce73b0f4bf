#include "protocol/base/json_indent.h"

#include <gtest/gtest.h>

#include <string>

#include "protocol/base/json_walk.h"

namespace weir {
namespace {

// In steps of `piece` bytes of text and `limit` bytes of output.
std::string InPieces(std::string_view text, size_t piece, size_t limit) {
  JsonIndenter indenter;
  std::string whole;
  while (!text.empty()) {
    std::string out;
    const size_t taken = indenter.Feed(text.substr(0, piece), limit, out);
    EXPECT_LE(out.size(), limit + 2 * kMaxJsonDepth + 2);
    text.remove_prefix(taken);
    whole += out;
  }
  return whole;
}

// Each as Go's json.MarshalIndent(v, "", "  ") writes it.
TEST(JsonIndentTest, LaysOutAsGoDoes) {
  EXPECT_EQ(IndentJson(R"({"kind":"PodList","metadata":{},"items":[]})"
                       "\n"),
            "{\n  \"kind\": \"PodList\",\n  \"metadata\": {},\n  \"items\": []\n}");
  EXPECT_EQ(IndentJson(R"({"a":[1,-2.5e3,true,null,"x"],"b":{"c":[{}]}})"),
            "{\n  \"a\": [\n    1,\n    -2.5e3,\n    true,\n    null,\n    \"x\"\n  ],\n"
            "  \"b\": {\n    \"c\": [\n      {}\n    ]\n  }\n}");
  EXPECT_EQ(IndentJson("[[],[[]]]"), "[\n  [],\n  [\n    []\n  ]\n]");
  EXPECT_EQ(IndentJson("7"), "7");
  EXPECT_EQ(IndentJson(""), "");
}

TEST(JsonIndentTest, LeavesStringsAlone) {
  const std::string text = R"({"{[,:]} ":"a\"b,{\\","c":"\\\" \u003c"})";
  EXPECT_EQ(IndentJson(text),
            "{\n  \"{[,:]} \": \"a\\\"b,{\\\\\",\n  \"c\": \"\\\\\\\" \\u003c\"\n}");
}

TEST(JsonIndentTest, DropsTheSpaceThatWasThere) {
  EXPECT_EQ(IndentJson(" { \"a\" :\t[ ] ,\r\n\"b\": 1 }\n"), "{\n  \"a\": [],\n  \"b\": 1\n}");
}

TEST(JsonIndentTest, PiecesDoNotMatter) {
  const std::string text = R"({"a":[1,2,{"b":"x\\\"y{"},[],{}],"long":")" + std::string(300, 'z') +
                           R"(\\","c":[[[0]]]})";
  const std::string whole = IndentJson(text);
  for (const size_t piece : {1u, 2u, 3u, 7u, 64u, 1000u}) {
    for (const size_t limit : {1u, 2u, 5u, 100u, 10'000u}) {
      EXPECT_EQ(InPieces(text, piece, limit), whole) << piece << " " << limit;
    }
  }
}

TEST(JsonIndentTest, StopsAtTheLimit) {
  JsonIndenter indenter;
  std::string out;
  const std::string text = "\"" + std::string(1000, 'x') + "\"";
  EXPECT_EQ(indenter.Feed(text, 100, out), 100);
  EXPECT_EQ(out.size(), 100);
  EXPECT_EQ(indenter.Feed(text.substr(100), 100, out), 0) << "no room";
}

TEST(JsonIndentTest, BracketsThatDoNotMatchAreSafe) {
  EXPECT_EQ(IndentJson("]]},"), "\n]\n]\n},\n");
  const std::string deep(kMaxJsonDepth + 10, '[');
  constexpr size_t kSum = kMaxJsonDepth * (kMaxJsonDepth + size_t{1}) / 2;
  EXPECT_EQ(InPieces(deep, 4096, 4096).size(),
            deep.size() + deep.size() - 1 + 2 * (kSum + 9 * kMaxJsonDepth));
}

}  // namespace
}  // namespace weir
