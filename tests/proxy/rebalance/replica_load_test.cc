#include "proxy/rebalance/replica_load.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kInstance = "00112233445566778899aabbccddeeff";

std::string Answer(std::string_view body, std::string_view status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

std::string Body(std::string_view connections = "120", std::string_view leaving = "3",
                 std::string_view ready = "true") {
  return fmt::format(R"({{"instance":"{}","connections":{},"leaving":{},"ready":{}}})", kInstance,
                     connections, leaving, ready);
}

void ExpectRefused(const std::string& answer, std::string_view why) {
  const auto load = ParseLoadAnswer(answer);
  ASSERT_FALSE(load.ok()) << answer;
  EXPECT_TRUE(absl::IsInvalidArgument(load.status()));
  EXPECT_THAT(std::string(Message(load.status())), HasSubstr(std::string(why))) << answer;
}

TEST(ReplicaLoadTest, WhatIsSaidIsRead) {
  const ReplicaLoad said{NewInstance(), 120, 3, true};
  const auto read = ParseLoadAnswer(Answer(ToJson(said)));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, said);
  const ReplicaLoad none{NewInstance(), 0, 0, false};
  EXPECT_EQ(*ParseLoadAnswer(Answer(ToJson(none))), none);
}

TEST(ReplicaLoadTest, ProcessesHaveNamesOfTheirOwn) { EXPECT_NE(NewInstance(), NewInstance()); }

TEST(ReplicaLoadTest, WhatALaterVersionSaysBesideIsLeftOut) {
  std::string body = Body();
  body.insert(1, R"("zone":{"name":"a"},)");
  EXPECT_TRUE(ParseLoadAnswer(Answer(body)).ok());
}

TEST(ReplicaLoadTest, AnAnswerIsTwoHundredWithExactlyItsLength) {
  ExpectRefused("", "no whole head");
  ExpectRefused("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "no whole head");
  ExpectRefused(Answer(Body(), "404 Not Found"), "status 404");
  ExpectRefused(Answer(Body(), "503 Service Unavailable"), "status 503");
  ExpectRefused(Answer(Body()) + " ", "length");
  ExpectRefused(Answer(Body()).substr(0, Answer(Body()).size() - 1), "length");
  ExpectRefused("HTTP/1.1 200 OK\r\n\r\n" + Body(), "length");
  ExpectRefused("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "length");
  ExpectRefused("SSH-2.0-OpenSSH_9.2\r\n\r\n", "");
  ExpectRefused(Answer(std::string(kMaxLoadAnswer, ' ')), "too long");
}

TEST(ReplicaLoadTest, ABodyHasEachFieldOnceAndOfItsType) {
  ExpectRefused(Answer(""), "no JSON object");
  ExpectRefused(Answer("[]"), "no JSON object");
  ExpectRefused(Answer(Body() + "{}"), "no JSON object");
  ExpectRefused(Answer("{}"), "no instance");
  ExpectRefused(Answer(R"({"instance":"x","connections":1,"leaving":1,"ready":true})"), "instance");
  ExpectRefused(Answer(R"({"instance":1,"connections":1,"leaving":1,"ready":true})"), "instance");
  ExpectRefused(Answer(Body("-1")), "connections");
  ExpectRefused(Answer(Body("1.5")), "connections");
  ExpectRefused(Answer(Body("\"1\"")), "connections");
  ExpectRefused(Answer(Body("100000001")), "connections");
  ExpectRefused(Answer(Body("18446744073709551616")), "");
  ExpectRefused(Answer(Body("1", "null")), "leaving");
  ExpectRefused(Answer(Body("1", "1", "1")), "ready");
  ExpectRefused(Answer(Body("1", "1", "true,\"ready\":false")), "twice");
  ExpectRefused(Answer(Body("[[[[[[[[1]]]]]]]]")), "no JSON object");  // Too deep.
}

}  // namespace
}  // namespace weir
