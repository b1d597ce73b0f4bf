#include "protocol/k8s/accept_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Types(std::string_view header) {
  std::vector<std::string> types;
  for (const AcceptClause& clause : ParseAcceptHeader(header).clauses) {
    types.push_back(std::string(clause.type) + "/" + std::string(clause.subtype));
  }
  return types;
}

AcceptClause Only(std::string_view header) {
  const AcceptHeader parsed = ParseAcceptHeader(header);
  EXPECT_EQ(parsed.clauses.size(), 1) << header;
  return parsed.clauses.empty() ? AcceptClause{} : parsed.clauses.front();
}

TEST(AcceptHeaderTest, WhatIsNoMediaTypeIsPassedOver) {
  EXPECT_THAT(Types(""), ElementsAre());
  EXPECT_THAT(Types(",a/b,,c,d/,/,e/f/g, h/i "), ElementsAre("a/b", "h/i"));
  EXPECT_THAT(Types("*"), ElementsAre("*/*"));
  EXPECT_THAT(Types("*/"), ElementsAre("*/*"));
  EXPECT_THAT(Types("a/b/"), ElementsAre("a/b"));
  EXPECT_THAT(Types("a / b"), ElementsAre("a/b"));
  EXPECT_THAT(Types("a/b\t"), ElementsAre("a/b\t"));
}

TEST(AcceptHeaderTest, ParametersAreReadAsUpstreamDoes) {
  const AcceptClause clause = Only(
      "a/b; as = Table ;g=meta.k8s.io;v=v1;stream=watch;sv=v2;pretty=1;charset=utf-8;export=1");
  EXPECT_TRUE(clause.converts);
  EXPECT_EQ(clause.kind, "Table");
  EXPECT_EQ(clause.group, "meta.k8s.io");
  EXPECT_EQ(clause.version, "v1");
  EXPECT_EQ(clause.stream, "watch");
  EXPECT_EQ(clause.server_version, "v2");
  EXPECT_TRUE(clause.pretty);
  EXPECT_FALSE(clause.has_unknown);

  EXPECT_FALSE(Only("a/b;as=;g;v==x").converts) << "no value, or two: as if it were not there";
  EXPECT_TRUE(Only("a/b;v= ;q=1").converts) << "a blank value is one";
  EXPECT_FALSE(Only("a/b;pretty=1;pretty=0").pretty) << "the last one counts";
  EXPECT_FALSE(Only("a/b;pretty=true").pretty);
  EXPECT_TRUE(Only("a/b;drop=metadata.managedFields").has_unknown);
  EXPECT_TRUE(Only("a/b;Q=1").has_unknown) << "names have a case";
}

TEST(AcceptHeaderTest, WeightsAreGoFloatsAndZeroWhereTheyAreNot) {
  EXPECT_EQ(Only("a/b").weight, 1);
  for (const char* half : {"0.5", ".5", "+0.5", "5e-1", "0.5=", "00.50"}) {
    EXPECT_EQ(Only(std::string("a/b;q=") + half).weight, 0.5F) << half;
  }
  EXPECT_EQ(Only("a/b;q=2").weight, 2);
  EXPECT_EQ(Only("a/b;q=-1").weight, -1);
  for (const char* zero : {"x", "1x", "1e", "--1", "1.2.3", " 0.5", "0.5 ;x=y", "=", "."}) {
    EXPECT_EQ(Only(std::string("a/b;q=") + zero).weight, 0) << zero;
  }
  EXPECT_EQ(Only("a/b;q").weight, 1) << "no value: no parameter";
  EXPECT_EQ(Only("a/b;q=1;q=0.25").weight, 0.25F);
  EXPECT_EQ(Only("a/b;q=0.70000001").weight, Only("a/b;q=0.7").weight) << "32 bits";
}

TEST(AcceptHeaderTest, RareWeightsAreDoubtful) {
  for (const char* rare : {"inf", "-Infinity", "NaN", "0x1p-1", "0X1", "1_0", "1e99"}) {
    EXPECT_TRUE(ParseAcceptHeader(std::string("a/b;q=") + rare).is_doubtful) << rare;
  }
  EXPECT_FALSE(ParseAcceptHeader("a/b;q=x,c/d;q=0.3").is_doubtful);
}

// Upstream's comparison is no order: a more specific clause overtakes a heavier one next to it.
TEST(AcceptHeaderTest, ClausesAreSortedAsUpstreamDoes) {
  EXPECT_THAT(Types("a/a;q=0.1,b/b;q=0.5,c/c"), ElementsAre("c/c", "b/b", "a/a"));
  EXPECT_THAT(Types("a/a,b/b,c/c;q=0"), ElementsAre("a/a", "b/b", "c/c"));
  EXPECT_THAT(Types("*/*,a/*,a/b"), ElementsAre("a/b", "a/*", "*/*"));
  EXPECT_THAT(Types("*/*;q=1,a/a;q=0.5,b/b;q=0.7"), ElementsAre("b/b", "a/a", "*/*"));
  EXPECT_THAT(Types("a/a;q=0.4,*/*;q=0.5"), ElementsAre("*/*", "a/a"));
}

TEST(AcceptHeaderTest, ManyClausesAreDoubtfulAndTheirNumberIsBounded) {
  std::string header = "a/b;q=0.5";
  for (int i = 0; i < 11; ++i) header += ",c/d;q=0.1";
  EXPECT_FALSE(ParseAcceptHeader(header).is_doubtful);
  EXPECT_TRUE(ParseAcceptHeader(header + ",e/f").is_doubtful);
  EXPECT_EQ(Types(header + ",e/f").front(), "e/f");
  for (int i = 0; i < 10'000; ++i) header += ",g/h";
  EXPECT_EQ(ParseAcceptHeader(header).clauses.size(), 64);
}

}  // namespace
}  // namespace weir
