#include "proxy/auth/go_quote.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string Quoted(std::string_view text) {
  std::string out;
  AppendGoQuoted(text, out);
  return out;
}

TEST(GoQuoteTest, KeepsWhatIsPrintable) {
  EXPECT_EQ(Quoted("alice"), R"("alice")");
  EXPECT_EQ(Quoted("zo\u00eb \u4e2d\U0001f600<&>"), "\"zo\u00eb \u4e2d\U0001f600<&>\"");
  EXPECT_EQ(Quoted(""), R"("")");
}

TEST(GoQuoteTest, EscapesQuotesAndControlCharactersAsGoDoes) {
  EXPECT_EQ(Quoted("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(Quoted("\a\b\f\n\r\t\v"), R"("\a\b\f\n\r\t\v")");
  EXPECT_EQ(Quoted(std::string_view("\0\x01\x1f\x7f", 4)), R"("\x00\x01\x1f\x7f")");
}

TEST(GoQuoteTest, EscapesRunesThatDoNotPrint) {
  EXPECT_EQ(Quoted("\u200b\u2028\u00a0\u0085\u00ad\ufeff"),
            R"("\u200b\u2028\u00a0\u0085\u00ad\ufeff")");
  EXPECT_EQ(Quoted("\U000e0001\U0010ffff"), R"("\U000e0001\U0010ffff")");
  EXPECT_EQ(Quoted("\u0378"), R"("\u0378")");  // Not assigned.
}

TEST(GoQuoteTest, WritesBytesThatAreNoUtf8AsHex) {
  EXPECT_EQ(Quoted("\xff"), R"("\xff")");
  EXPECT_EQ(Quoted("a\xc3"), R"("a\xc3")");                        // Cut short.
  EXPECT_EQ(Quoted("\xc0\x80"), R"("\xc0\x80")");                  // Overlong.
  EXPECT_EQ(Quoted("\xed\xa0\x80"), R"("\xed\xa0\x80")");          // A surrogate.
  EXPECT_EQ(Quoted("\xf4\x90\x80\x80"), R"("\xf4\x90\x80\x80")");  // Beyond Unicode.
  EXPECT_EQ(Quoted("\xe0\x80\x80"), R"("\xe0\x80\x80")");          // Overlong.
  EXPECT_EQ(Quoted("\xef\xbf\xbd"), "\"\ufffd\"");  // The replacement character itself.
}

TEST(GoQuoteTest, TheTableAgreesWithGoAtItsEdges) {
  for (const char32_t rune :
       {U'\x20', U'\x7e', U'\xa1', U'\xac', U'\xae', U'\x377', U'\x37a', U'\U000e01ef'}) {
    EXPECT_TRUE(IsPrintableRune(rune)) << static_cast<uint32_t>(rune);
  }
  for (const char32_t rune :
       {U'\x1f', U'\x7f', U'\xa0', U'\xad', U'\x378', U'\U000e01f0', U'\ue000'}) {
    EXPECT_FALSE(IsPrintableRune(rune)) << static_cast<uint32_t>(rune);
  }
}

}  // namespace
}  // namespace weir
