#include "proxy/config/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(DurationTest, ReadsWhatGoReads) {
  EXPECT_EQ(ParseDuration("10s").value(), 10s);
  EXPECT_EQ(ParseDuration("1h30m").value(), 90min);
  EXPECT_EQ(ParseDuration("1.5s").value(), 1500ms);
  EXPECT_EQ(ParseDuration(".5s").value(), 500ms);
  EXPECT_EQ(ParseDuration("250ms").value(), 250ms);
  EXPECT_EQ(ParseDuration("2us").value(), 2us);
  EXPECT_EQ(ParseDuration("0").value(), 0s);
}

TEST(DurationTest, RefusesSignsBareNumbersAndUnknownUnits) {
  for (const char* text : {"", "10", "-1s", "+1s", "s", "1d", "1s ", " 1s", ".s", "1..s", "1e3s",
                           "nan", "1000000h", "1h30"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

TEST(DurationTest, WhatIsWrittenIsReadBack) {
  for (const Duration duration : {Duration(0s), Duration(10s), Duration(90min), Duration(1h),
                                  Duration(61s), Duration(1500ms), Duration(7ns)}) {
    EXPECT_EQ(ParseDuration(FormatDuration(duration)).value(), duration)
        << FormatDuration(duration);
  }
}

TEST(ByteQuantityTest, ReadsBinaryAndDecimalSuffixes) {
  EXPECT_EQ(ParseByteQuantity("4Gi").value(), uint64_t{4} << 30);
  EXPECT_EQ(ParseByteQuantity("1.5Ki").value(), 1536u);
  EXPECT_EQ(ParseByteQuantity("1500M").value(), 1'500'000'000u);
  EXPECT_EQ(ParseByteQuantity("123").value(), 123u);
}

TEST(ByteQuantityTest, RefusesWhatIsNoSize) {
  for (const char* text : {"", "Gi", "4GB", "4 Gi", "-1", "1e3", "9999999Pi", "4g"}) {
    EXPECT_FALSE(ParseByteQuantity(text).ok()) << text;
  }
}

TEST(ByteQuantityTest, IsWrittenInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatByteQuantity(uint64_t{4} << 30), "4Gi");
  EXPECT_EQ(FormatByteQuantity(1536), "1536");
  EXPECT_EQ(FormatByteQuantity(0), "0");
}

TEST(HostPortTest, TakesNamesAndBracketedAddresses) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:8081")->port, 8081);
  EXPECT_EQ(ParseHostPort("[::1]:1")->host, "::1");
  EXPECT_EQ(ParseHostPort("localhost:80")->host, "localhost");
  for (const char* text :
       {"", ":80", "host", "::1:80", "host:0", "host:70000", "[]:1", "[host]:1"}) {
    EXPECT_FALSE(ParseHostPort(text).ok()) << text;
  }
}

TEST(LoopbackTest, KnowsTheWholeRange) {
  EXPECT_TRUE(IsLoopback("127.1.2.3"));
  EXPECT_TRUE(IsLoopback("::1"));
  EXPECT_FALSE(IsLoopback("0.0.0.0"));
  EXPECT_FALSE(IsLoopback("128.0.0.1"));
}

TEST(SplitListTest, DropsEmptyPiecesAndSpaces) {
  EXPECT_THAT(SplitList("a, b,,c "), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitList(""), IsEmpty());
}

}  // namespace
}  // namespace weir
