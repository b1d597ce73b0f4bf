#include "proxy/auth/request_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::optional<Identity> Of(std::vector<http::Header> lines, const RequestHeaderNames& names = {}) {
  http::HeaderList headers;
  headers.lines() = std::move(lines);
  return IdentityOfHeaders(names, headers);
}

TEST(RequestHeadersTest, TheFirstNameWithAFirstValueCounts) {
  const RequestHeaderNames names{.username = {"X-Corp-User", "X-Remote-User"},
                                 .uid = {"X-Corp-Uid", "X-Remote-Uid"}};
  const auto user = Of({{"x-remote-user", "second"},
                        {"X-Corp-User", ""},
                        {"X-Corp-User", "ignored"},
                        {"X-Corp-Uid", "u"}},
                       names);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->name, "second");
  EXPECT_EQ(user->uid, "u");
  EXPECT_FALSE(Of({{"X-Remote-Group", "g"}}).has_value());
  EXPECT_EQ(Of({{"X-Remote-User", "a"}, {"X-Remote-Uid", "u"}})->uid, "") << "where one is named";
}

TEST(RequestHeadersTest, EachLineIsAGroup) {
  const auto user = Of({{"X-Remote-User", "a"},
                        {"X-Remote-Group", "one,two"},
                        {"x-remote-group", ""},
                        {"X-REMOTE-GROUP", "three"}});
  EXPECT_THAT(user->groups, ElementsAre("one,two", "three"));
  EXPECT_THAT(user->extra, IsEmpty());
}

// Expectations are what upstream makes of them: url.PathUnescape of the lower-cased name.
TEST(RequestHeadersTest, ExtraKeysAreDecodedWhereTheyCanBe) {
  const auto user = Of({{"X-Remote-User", "a"},
                        {"X-Remote-Extra-Authentication.kubernetes.io%2Fpod-Name", "p"},
                        {"x-remote-extra-scopes", "1"},
                        {"X-Remote-Extra-Scopes", "2"},
                        {"X-Remote-Extra-%zz", "3"},
                        {"X-Remote-Extra-a%2", "4"},
                        {"X-Remote-Extra-%E2%82%AC+", "5"},
                        {"X-Remote-Extra-", "6"}});
  EXPECT_THAT(
      user->extra,
      ElementsAre(Pair("", ElementsAre("6")), Pair("%zz", ElementsAre("3")),
                  Pair("a%2", ElementsAre("4")),
                  Pair("authentication.kubernetes.io/pod-name", ElementsAre("p")),
                  Pair("scopes", ElementsAre("1", "2")), Pair("\xe2\x82\xac+", ElementsAre("5"))));
}

TEST(RequestHeadersTest, WhatIsNoUtf8IsTold) {
  EXPECT_TRUE(IsText(*Of({{"X-Remote-User", "\xc3\xa9"}, {"X-Remote-Extra-A", "b"}})));
  EXPECT_FALSE(IsText(*Of({{"X-Remote-User", "a\xff"}})));
  EXPECT_FALSE(IsText(*Of({{"X-Remote-User", "a"}, {"X-Remote-Group", "\xc3"}})));
  EXPECT_FALSE(IsText(*Of({{"X-Remote-User", "a"}, {"X-Remote-Extra-A", "\xff"}})));
  EXPECT_FALSE(IsText(*Of({{"X-Remote-User", "a"}, {"X-Remote-Extra-%ff", "b"}})));
}

}  // namespace
}  // namespace weir
