#include "protocol/k8s/continue_token.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

// The tokens of the specification's table in section 2.6.
constexpr std::string_view kPlainToken =
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoiZGVmYXVsdC9uZ2lueC0xXHUwMDAwIn0";
constexpr std::string_view kSlashToken =
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoiL2RlZmF1bHQvbmdpbngtMVx1MDAwMCJ9";
constexpr std::string_view kNamespaceToken =
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAyNDUsInN0YXJ0IjoibmdpbngtMVx1MDAwMCJ9";
constexpr std::string_view kLatestToken =
    "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiZGVmYXVsdC9uZ2lueC0xXHUwMDAwIn0";

std::string After(std::string_view key) { return std::string(key) + '\0'; }

// Base64url of a token's JSON, independent of the code under test.
std::string TokenOf(std::string_view json) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bits;
  for (const char c : json) {
    for (int i = 7; i >= 0; --i) bits += (static_cast<unsigned char>(c) >> i & 1) != 0 ? '1' : '0';
  }
  while (bits.size() % 6 != 0) bits += '0';
  std::string out;
  for (size_t i = 0; i < bits.size(); i += 6) {
    out += kDigits[std::stoul(bits.substr(i, 6), nullptr, 2)];
  }
  return out;
}

StatusOr<ContinueToken> DecodeJson(std::string_view json) {
  return ContinueToken::Decode(TokenOf(json));
}

TEST(ContinueTokenTest, IsByteForByteTheOneOfUpstreamsCache) {
  EXPECT_EQ(ContinueToken::Encode(10245, "default/nginx-1"), kSlashToken);
  EXPECT_EQ(ContinueToken::Encode(10245, "nginx-1"),
            TokenOf(R"({"v":"meta.k8s.io/v1","rv":10245,"start":"/nginx-1\u0000"})"));
  EXPECT_EQ(ContinueToken::Encode(7, "a<b"),
            TokenOf(R"({"v":"meta.k8s.io/v1","rv":7,"start":"/a\u003cb\u0000"})"));
}

TEST(ContinueTokenTest, BothFormsAreRead) {
  for (const std::string_view token : {kPlainToken, kSlashToken}) {
    const auto decoded = ContinueToken::Decode(token);
    ASSERT_TRUE(decoded.ok()) << token;
    EXPECT_EQ(decoded->revision, 10245);
    EXPECT_EQ(decoded->start_key, After("default/nginx-1"));
  }
  EXPECT_EQ(ContinueToken::Decode(kNamespaceToken)->start_key, After("nginx-1"));
  EXPECT_EQ(ContinueToken::Decode(kLatestToken)->revision, -1);
}

TEST(ContinueTokenTest, AnExpiredOneIsRefreshedWithoutSlash) {
  EXPECT_EQ(ContinueToken::Decode(kSlashToken)->Refreshed(), kLatestToken);
  EXPECT_EQ(ContinueToken::Decode(ContinueToken::Encode(30, "a-b/x"))->Refreshed(),
            "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6LTEsInN0YXJ0IjoiYS1iL3hcdTAwMDAifQ");
  EXPECT_EQ((ContinueToken{5, ""}).Refreshed(), "");
}

TEST(ContinueTokenTest, LineBreaksAreSkippedAndPaddingIsNot) {
  std::string broken(kPlainToken);
  broken.insert(10, "\r\n");
  broken += '\n';
  EXPECT_TRUE(ContinueToken::Decode(broken).ok());
  EXPECT_FALSE(ContinueToken::Decode(std::string(kNamespaceToken) + "=").ok());
  EXPECT_FALSE(ContinueToken::Decode(std::string(kPlainToken) + " ").ok());
}

TEST(ContinueTokenTest, TheJsonIsReadAsGoReadsIt) {
  for (const char* json : {
           R"({"v":"meta.k8s.io/v1","rv":5,"start":"a"})",
           R"({"V":"meta.k8s.io/v1","Rv":5,"START":"a"})",
           R"({ "start" : "a", "rv" : 5, "v" : "meta.k8s.io/v1" } )",
           R"({"v":"meta.k8s.io/v1","rv":5,"start":"a","more":[{"rv":9}]})",
           R"({"v":"x","v":"meta.k8s.io/v1","rv":4,"RV":5,"start":"b","start":"a"})",
           R"({"v":"meta.k8s.io/v1","rv":5,"rv":null,"start":"\u0061"})",
       }) {
    const auto decoded = DecodeJson(json);
    ASSERT_TRUE(decoded.ok()) << json;
    EXPECT_EQ(decoded->revision, 5) << json;
    EXPECT_EQ(decoded->start_key, "a") << json;
  }
}

TEST(ContinueTokenTest, RefusesWhatUpstreamRefuses) {
  for (const char* token :
       {"", "abc!", "a", "abcde", "e30", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MCwic3RhcnQiOiJhIn0",
        "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6NSwic3RhcnQiOiIifQ",
        "eyJ2IjoidjIiLCJydiI6MSwic3RhcnQiOiJhIn0",
        "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIuLi9rZXkifQ"}) {
    EXPECT_FALSE(ContinueToken::Decode(token).ok()) << token;
  }
  for (const char* json : {
           "null",
           "[]",
           "1",
           "abc",
           "{}",
           "{",
           R"({"v":"meta.k8s.io/v1","rv":5,"start":"a"}x)",
           R"({"v":"meta.k8s.io/v1","rv":"5","start":"a"})",
           R"({"v":"meta.k8s.io/v1","rv":5.0,"start":"a"})",
           R"({"v":"meta.k8s.io/v1","rv":9223372036854775808,"start":"a"})",
           R"({"v":"meta.k8s.io/v1","rv":5,"start":7})",
           R"({"v":1,"rv":5,"start":"a"})",
           R"({"v":"meta.k8s.io/v1","rv":5})",
           "\xef\xbb\xbf{\"v\":\"meta.k8s.io/v1\",\"rv\":5,\"start\":\"a\"}",
       }) {
    EXPECT_FALSE(DecodeJson(json).ok()) << json;
  }
}

TEST(ContinueTokenTest, AStartKeyCannotLeaveItsCollection) {
  const auto start = [](std::string_view key) {
    return DecodeJson(R"({"v":"meta.k8s.io/v1","rv":5,"start":")" + std::string(key) + "\"}");
  };
  EXPECT_EQ(start("/")->start_key, "");
  EXPECT_EQ(start("/a")->start_key, "a");
  EXPECT_EQ(start("a/..b/...")->start_key, "a/..b/...");
  for (const char* key :
       {"..", ".", "../a", "a/..", "a/./b", "a//b", "//a", "//", "a/", "/a/", "/../a", "/."}) {
    EXPECT_FALSE(start(key).ok()) << key;
  }
}

}  // namespace
}  // namespace weir
