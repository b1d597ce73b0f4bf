#include "proxy/session/live_identity_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;

TEST(LiveIdentityHeadersTest, WhatTheAPIServerSaysComesBesideWhatIsConfigured) {
  LiveIdentityHeaders live(IdentityHeaderNames{{"x-own"}, {"x-own-extra-"}});
  const IdentityHeaderNames& before = *live;
  EXPECT_FALSE(live.complete());
  live.Add({"X_Corp-User", "X-Own"}, {"X-Corp-Extra-"});
  EXPECT_TRUE(live.complete());
  EXPECT_THAT((*live).names, ElementsAre("x-own", "x-corp-user"));
  EXPECT_THAT((*live).prefixes, ElementsAre("x-own-extra-", "x-corp-extra-"));
  EXPECT_THAT(before.names, ElementsAre("x-own")) << "a request may still use it";

  const IdentityHeaderNames* const now = &*live;
  live.Add({}, {});
  EXPECT_EQ(&*live, now) << "a name that is gone may still be believed somewhere";
}

TEST(LiveIdentityHeadersTest, NoAnswerOfTheirsMakesItGrowWithoutEnd) {
  LiveIdentityHeaders live(IdentityHeaderNames{{"x-own"}, {}});
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i) many.push_back("x-" + std::to_string(i));
  live.Add(many, {});
  EXPECT_THAT((*live).names, ElementsAre("x-own"));
  EXPECT_FALSE(live.complete());
}

}  // namespace
}  // namespace weir
