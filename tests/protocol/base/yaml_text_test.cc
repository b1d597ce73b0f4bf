#include "protocol/base/yaml_text.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

std::string Yaml(std::string_view text, std::string key = "message:", size_t indent = 2) {
  AppendYamlString(text, indent, key);
  return key;
}

TEST(YamlTextTest, PlainWhereNothingIsMeantByIt) {
  for (const char* text : {"Unauthorized", "pods \"x\" not found", "a:b", "a#b", "-a", "?a", ":a",
                           "it's", "a,b[c]{d}", "a\\b", "\u00e9\u4e16"}) {
    EXPECT_EQ(Yaml(text), "message: " + std::string(text) + "\n");
  }
}

TEST(YamlTextTest, SingleQuotesWhereSomethingWouldBe) {
  EXPECT_EQ(Yaml("a: b"), "message: 'a: b'\n");
  EXPECT_EQ(Yaml("a:"), "message: 'a:'\n");
  EXPECT_EQ(Yaml("a #b"), "message: 'a #b'\n");
  EXPECT_EQ(Yaml("it's: so"), "message: 'it''s: so'\n");
  EXPECT_EQ(Yaml(" a"), "message: ' a'\n");
  EXPECT_EQ(Yaml("a "), "message: 'a '\n");
  for (const char* text : {"#", ",", "[]", "{}", "&a", "*a", "!a", "|", ">", "\"a\"", "%a", "@a",
                           "`a`", "- a", "-", "? a", "---", "...", "--- a"}) {
    EXPECT_EQ(Yaml(text), "message: '" + std::string(text) + "'\n");
  }
}

TEST(YamlTextTest, DoubleQuotesWhatIsNoStringOtherwise) {
  for (const char* text : {"true",
                           "No",
                           "on",
                           "y",
                           "~",
                           "null",
                           "1",
                           "0x1f",
                           "0o17",
                           "0b1",
                           "1_000",
                           "1e3",
                           "1.5",
                           "-5",
                           ".5",
                           ".inf",
                           "1:30",
                           "2024-02-29",
                           "2024-1-1T1:2:3.5+07:00",
                           "2024-01-01 10:00:00",
                           "08",
                           ""}) {
    EXPECT_EQ(Yaml(text), "message: \"" + std::string(text) + "\"\n");
    EXPECT_FALSE(IsYamlString(text)) << text;
  }
  for (const char* text : {"tRue",
                           "yess",
                           "1x",
                           "0x",
                           "0b2",
                           "1.2.3",
                           "1e",
                           "-",
                           "+",
                           ".",
                           "1:",
                           "1:60",
                           "2023-02-29",
                           "2024-13-01",
                           "2024-01-01T10:00:00",
                           "_1",
                           "0xffffffffffffffffff",
                           ".5e999",
                           "10.0.0.1",
                           "123e4567-e89b"}) {
    EXPECT_TRUE(IsYamlString(text)) << text;
  }
}

TEST(YamlTextTest, EscapesWhatCannotBePrinted) {
  EXPECT_EQ(Yaml(std::string_view("\0\a\t\r\x1b\x01\"\\\x7f", 9)),
            "message: \"\\0\\a\\t\\r\\e\\x01\\\"\\\\\\x7F\"\n");
  EXPECT_EQ(Yaml("\u0085\u2028\u2029\ufeff\U0001F680"),
            "message: \"\\N\\L\\P\\uFEFF\\U0001F680\"\n");
  EXPECT_EQ(Yaml("\t\xFF\u00e9"), "message: \"\\t\ufffd\u00e9\"\n");
}

TEST(YamlTextTest, LongTextIsFoldedAtASpaceBehindColumn80) {
  // As the API server answered.
  EXPECT_EQ(
      Yaml("configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in API "
           "group \"\" at the cluster scope"),
      "message: 'configmaps is forbidden: User \"bob\" cannot list resource \"configmaps\" in\n"
      "  API group \"\" at the cluster scope'\n");
  EXPECT_EQ(Yaml("The provided continue parameter is too old to display a consistent list result. "
                 "You can start a new list without the continue parameter."),
            "message: The provided continue parameter is too old to display a consistent list "
            "result.\n  You can start a new list without the continue parameter.\n");
  const std::string word(100, 'x');
  EXPECT_EQ(Yaml(word), "message: " + word + "\n") << "no space, no fold";
  EXPECT_EQ(Yaml(word + " a b", "k:", 6), "k: " + word + "\n      a b\n");
  EXPECT_EQ(Yaml(word + "  a"), "message: " + word + "  a\n") << "not at two spaces";
  EXPECT_EQ(Yaml("\t" + word + "  a"), "message: \"\\t" + word + "\n  \\ a\"\n");
  EXPECT_EQ(Yaml(word + ": "), "message: '" + word + ": '\n") << "not at the last one";
}

TEST(YamlTextTest, SeveralLinesAreALiteralBlock) {
  EXPECT_EQ(Yaml("a\nb"), "message: |-\n  a\n  b\n");
  EXPECT_EQ(Yaml("a\n\n b: c\n"), "message: |\n  a\n\n   b: c\n");
  EXPECT_EQ(Yaml("406: x\n\ny\n"), "message: |\n  406: x\n\n  y\n");
  EXPECT_EQ(Yaml("a\n\n"), "message: |+\n  a\n\n");
  EXPECT_EQ(Yaml("\na"), "message: |2-\n\n  a\n");
  EXPECT_EQ(Yaml("a \nb"), "message: \"a \\nb\"\n");
  EXPECT_EQ(Yaml("a\nb "), "message: \"a\\nb \"\n");
}

}  // namespace
}  // namespace weir
