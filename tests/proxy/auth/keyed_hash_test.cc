#include "proxy/auth/keyed_hash.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(SipHashTest, MatchesTheVectorsOfItsAuthors) {
  std::string key;
  for (int i = 0; i < 16; ++i) key += static_cast<char>(i);
  const uint64_t key0 = 0x0706050403020100;
  const uint64_t key1 = 0x0f0e0d0c0b0a0908;
  EXPECT_EQ(SipHash("", key0, key1), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(SipHash(std::string_view(key.data(), 15), key0, key1), 0xa129ca6149be45e5u);
  EXPECT_EQ(SipHash(std::string_view(key.data(), 8), key0, key1), 0x93f5f5799a932462u);
}

TEST(HmacTest, TwoKeysGiveTwoTagsAndOneKeyOne) {
  const Hmac a;
  const Hmac b;
  EXPECT_EQ(a("token"), a("token"));
  EXPECT_NE(a("token"), b("token"));
  EXPECT_NE(a("token"), a("tokem"));
  EXPECT_EQ(a("token").size(), 32u);
}

}  // namespace
}  // namespace weir
