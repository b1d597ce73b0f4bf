#include "protocol/base/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using namespace std::string_literals;

std::string Quoted(std::string_view text) {
  std::string out;
  AppendJsonString(text, out);
  return out;
}

TEST(JsonTextTest, PlainTextIsOnlyQuoted) {
  EXPECT_EQ(Quoted(""), R"("")");
  EXPECT_EQ(Quoted("pods \x7f/x"), "\"pods \x7f/x\"");
  EXPECT_EQ(Quoted("grün 水 \U0001F30A"), "\"grün 水 \U0001F30A\"");
}

TEST(JsonTextTest, QuotesBackslashesAndControlBytesAreEscapedAsGoDoes) {
  EXPECT_EQ(Quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quoted("\b\f\n\r\t"), R"("\b\f\n\r\t")");
  EXPECT_EQ(Quoted("\0\x1f"s), R"("\u0000\u001f")");
}

TEST(JsonTextTest, HtmlAndLineSeparatorsAreEscapedAsGoDoes) {
  EXPECT_EQ(Quoted("<a>&"), R"("\u003ca\u003e\u0026")");
  EXPECT_EQ(Quoted("\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA"), "\"\\u2028\\u2029\xE2\x80\xAA\"");
}

TEST(JsonTextTest, EveryInvalidByteBecomesOneReplacement) {
  EXPECT_EQ(Quoted("\xff"), R"("\ufffd")");
  EXPECT_EQ(Quoted("\xC3"), R"("\ufffd")") << "cut short";
  EXPECT_EQ(Quoted("\xC0\xAF"), R"("\ufffd\ufffd")") << "overlong";
  EXPECT_EQ(Quoted("\xE0\x80\x80"), R"("\ufffd\ufffd\ufffd")") << "overlong";
  EXPECT_EQ(Quoted("\xED\xA0\x80"), R"("\ufffd\ufffd\ufffd")") << "surrogate";
  EXPECT_EQ(Quoted("\xF4\x90\x80\x80"), R"("\ufffd\ufffd\ufffd\ufffd")") << "above U+10FFFF";
  EXPECT_EQ(Quoted("a\x80z"), R"("a\ufffdz")");
}

TEST(JsonTextTest, TextIsAppendedToWhatIsThere) {
  std::string out = "{";
  AppendJsonString("k", out);
  EXPECT_EQ(out, R"({"k")");
}

}  // namespace
}  // namespace weir
