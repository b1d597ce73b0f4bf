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

std::string Unescaped(std::string_view inside) {
  std::string out;
  AppendUnescapedJson(inside, out);
  return out;
}

TEST(JsonTextTest, EscapesAreReadAsGoReadsThem) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},
      {"plain", "plain"},
      {R"(\"\\\/\b\f\n\r\t)", "\"\\/\b\f\n\r\t"},
      {R"(\u003ca\u003E)", "<a>"},
      {R"(\u0000)", "\0"s},
      {R"(\u00fc\u6c34)", "ü水"},
      {R"(\u07ff\u0800\uffff)", "\u07ff\u0800\uffff"},
      {R"(\ud83c\udf0a!)", "\U0001F30A!"},
      {R"(\uD800\uDC00\uDBFF\uDFFF)", "\U00010000\U0010FFFF"},
      {R"(\\u0041)", R"(\u0041)"},
  };
  for (const auto& [inside, text] : cases) EXPECT_EQ(Unescaped(inside), text) << inside;
}

TEST(JsonTextTest, LoneSurrogatesBecomeReplacements) {
  const std::pair<std::string, std::string> cases[] = {
      {R"(\ud83c)", "\uFFFD"},
      {R"(\udf0a)", "\uFFFD"},
      {R"(\ud83cx)", "\uFFFDx"},
      {R"(\ud83c\n)", "\uFFFD\n"},
      {R"(\ud83c\u0041)", "\uFFFD\u0041"},
      {R"(\ud83c\ud83c\udf0a)", "\uFFFD\U0001F30A"},
      {R"(\udf0a\ud83c)", "\uFFFD\uFFFD"},
  };
  for (const auto& [inside, text] : cases) EXPECT_EQ(Unescaped(inside), text) << inside;
}

TEST(JsonTextTest, WhatIsNoEscapeIsCopied) {
  for (const char* inside : {R"(\)", R"(a\)", R"(\x)", R"(\u)", R"(\u12)", R"(\u12g4)", R"(\u 123)",
                             R"(\u+123)", R"(\u-123)", R"(\U0041)"}) {
    // On the heap, so that a read behind the end is seen.
    EXPECT_EQ(Unescaped(std::string(inside)), inside);
  }
}

TEST(JsonTextTest, WhatIsWrittenIsReadBack) {
  const std::string text = "a\"b\\c\b\f\n\r\t<>&\0\x1f grün \U0001F30A \xE2\x80\xA8"s;
  const std::string quoted = Quoted(text);
  EXPECT_EQ(Unescaped(std::string_view(quoted).substr(1, quoted.size() - 2)), text);
}

}  // namespace
}  // namespace weir
