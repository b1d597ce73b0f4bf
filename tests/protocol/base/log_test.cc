#include "protocol/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace weir {
namespace {

using ::testing::IsEmpty;
using ::testing::MatchesRegex;

std::string Logged(const std::function<void()>& body) {
  testing::internal::CaptureStderr();
  body();
  return testing::internal::GetCapturedStderr();
}

class LogTest : public ::testing::Test {
 protected:
  ~LogTest() override { ConfigureLog(LogFormat::kText, 0); }
};

TEST_F(LogTest, TextLinesHaveTheHeaderOfKlog) {
  const std::string line = Logged(
      [] { Log(LogLevel::kInfo, "Feed synced", {{"resource", "v1/pods"}, {"objects", 12}}); });
  EXPECT_THAT(line, MatchesRegex("I[0-9]{4} [0-9:]{8}\\.[0-9]{6} +[0-9]+ log_test\\.cc:[0-9]+\\] "
                                 "\"Feed synced\" resource=\"v1/pods\" objects=12\n"));
}

TEST_F(LogTest, EachLevelHasItsLetter) {
  EXPECT_EQ(Logged([] { Log(LogLevel::kWarning, "w"); }).front(), 'W');
  EXPECT_EQ(Logged([] { Log(LogLevel::kError, "e"); }).front(), 'E');
}

TEST_F(LogTest, TextValuesCannotBreakTheLine) {
  const std::string line = Logged([] { Log(LogLevel::kInfo, "m", {{"k", "a\"\n\\\x01"}}); });
  EXPECT_THAT(line, testing::EndsWith("\"m\" k=\"a\\\"\\n\\\\\\x01\"\n"));
}

TEST_F(LogTest, JsonLinesHaveTheKeysOfComponentBaseInOrder) {
  ConfigureLog(LogFormat::kJson, 0);
  const std::string line =
      Logged([] { Log(LogLevel::kInfo, "Feed synced", {{"resource", "v1/pods"}, {"n", -3}}); });
  EXPECT_THAT(
      line, MatchesRegex("\\{\"ts\":[0-9]{13}\\.[0-9]{3},\"caller\":\"log_test\\.cc:[0-9]+\","
                         "\"msg\":\"Feed synced\",\"v\":0,\"resource\":\"v1/pods\",\"n\":-3\\}\n"));
}

TEST_F(LogTest, JsonErrorsCarryNoVerbosity) {
  ConfigureLog(LogFormat::kJson, 0);
  const std::string line = Logged([] { Log(LogLevel::kError, "Failed", {{"err", "x"}}); });
  EXPECT_THAT(line, testing::HasSubstr(R"("msg":"Failed","err":"x"})"));
}

TEST_F(LogTest, DebugLinesAppearFromVerbosityFourOn) {
  ConfigureLog(LogFormat::kText, 3);
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
  EXPECT_THAT(Logged([] { Log(LogLevel::kDebug, "d"); }), IsEmpty());
  ConfigureLog(LogFormat::kJson, 4);
  EXPECT_EQ(LogVerbosity(), 4);
  EXPECT_THAT(Logged([] { Log(LogLevel::kDebug, "d"); }), testing::HasSubstr(R"("v":4)"));
}

}  // namespace
}  // namespace weir
