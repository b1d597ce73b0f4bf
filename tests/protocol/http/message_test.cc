#include "protocol/http/message.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

TEST(HeaderListTest, NamesAreComparedWithoutCaseAndKeptAsReceived) {
  HeaderList headers;
  headers.Add("X-One", "1");
  ASSERT_NE(headers.First("x-one"), nullptr);
  EXPECT_EQ(*headers.First("x-one"), "1");
  EXPECT_EQ(headers.lines()[0].name, "X-One");
  EXPECT_FALSE(headers.Has("X-On"));
}

TEST(HeaderListTest, FirstOfSeveralLinesIsTheOneThatCameFirst) {
  HeaderList headers;
  headers.Add("A", "1");
  headers.Add("a", "2");
  EXPECT_EQ(*headers.First("A"), "1");
  EXPECT_EQ(headers.Count("A"), 2u);
}

TEST(HeaderListTest, SetLeavesOneLineInThePlaceOfTheFirst) {
  HeaderList headers;
  headers.Add("A", "1");
  headers.Add("B", "2");
  headers.Add("a", "3");
  headers.Set("A", "4");
  ASSERT_EQ(headers.lines().size(), 2u);
  EXPECT_EQ(headers.lines()[0].value, "4");
  headers.Set("C", "5");
  EXPECT_EQ(headers.lines()[2].value, "5");
}

TEST(HeaderListTest, SetAndRemoveMayBeGivenViewsOfALine) {
  HeaderList headers;
  headers.Add("A", "1");
  headers.Add("a", "a value too long for the small buffer of a string");
  headers.Set(headers.lines()[1].name, headers.lines()[1].value);
  EXPECT_EQ(*headers.First("A"), "a value too long for the small buffer of a string");
  headers.Remove(headers.lines()[0].name);
  EXPECT_TRUE(headers.lines().empty());
}

TEST(RequestHeadTest, PathAndQueryAreCutAtTheFirstQuestionMark) {
  RequestHead head;
  head.target = "/api/v1/pods?watch=1&x=?";
  EXPECT_EQ(head.path(), "/api/v1/pods");
  EXPECT_EQ(head.query(), "watch=1&x=?");
  head.target = "/healthz";
  EXPECT_EQ(head.path(), "/healthz");
  EXPECT_EQ(head.query(), "");
}

TEST(EqualsIgnoreCaseTest, OnlyAsciiLettersFold) {
  EXPECT_TRUE(EqualsIgnoreCase("Content-LENGTH", "content-length"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`")) << "differ in the case bit, but are no letters";
  EXPECT_FALSE(EqualsIgnoreCase("a", "aa"));
}

}  // namespace
}  // namespace weir::http
