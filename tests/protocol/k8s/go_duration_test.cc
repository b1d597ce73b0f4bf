#include "protocol/k8s/go_duration.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

TEST(GoDurationTest, ReadsWhatGoReads) {
  const std::pair<const char*, nanoseconds> cases[] = {
      {"0", 0s},
      {"5s", 5s},
      {"+5s", 5s},
      {"-5s", -5s},
      {"30m", 30min},
      {"1m30s", 90s},
      {"1h2m3s4ms", 1h + 2min + 3s + 4ms},
      {"1.5h", 90min},
      {".5s", 500ms},
      {"1.s", 1s},
      {"7us9ns", 7us + 9ns},
      {"0.100000000000000000000000h", 6min},
      {"9223372036854775807ns", nanoseconds::max()},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(ParseGoDuration(text), expected) << text;
}

TEST(GoDurationTest, RefusesWhatGoRefuses) {
  for (const char* text : {"", "-", "5", "x", "s", ".s", "5 s", "5s ", "5S", "5d", "1h-2m", "--5s",
                           "5s3", "1..5s", "9223372036854775808ns", "9223372036855s",
                           "99999999999999999999h", "2562048h", "2562047h2562047h"}) {
    EXPECT_EQ(ParseGoDuration(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace weir
