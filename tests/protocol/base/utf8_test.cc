#include "protocol/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(Utf8Test, SequencesHaveTheLengthThatGoSees) {
  EXPECT_EQ(Utf8SequenceLength("a", 0), 1);
  EXPECT_EQ(Utf8SequenceLength(std::string_view("\0", 1), 0), 1);
  EXPECT_EQ(Utf8SequenceLength("x\u00e9", 1), 2);
  EXPECT_EQ(Utf8SequenceLength("\u4e16", 0), 3);
  EXPECT_EQ(Utf8SequenceLength("\U0001F680", 0), 4);
  for (const char* invalid :
       {"\x80", "\xC3", "\xC3x", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xE4\xB8",
        "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x9A", "\xF5\x80\x80\x80", "\xFF"}) {
    EXPECT_EQ(Utf8SequenceLength(invalid, 0), 0) << testing::PrintToString(invalid);
  }
}

TEST(Utf8Test, EachInvalidByteBecomesOneReplacement) {
  EXPECT_EQ(ToValidUtf8("plain \u00e9\U0001F680"), "plain \u00e9\U0001F680");
  EXPECT_EQ(ToValidUtf8("a\xFFz\xED\xA0\x80"), "a\ufffdz\ufffd\ufffd\ufffd");
  EXPECT_EQ(ToValidUtf8(""), "");
}

}  // namespace
}  // namespace weir
