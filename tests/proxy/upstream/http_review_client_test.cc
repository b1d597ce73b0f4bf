#include "proxy/upstream/http_review_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using Reply = ScriptedServer::Reply;
using After = ScriptedServer::After;

class HttpReviewClientTest : public ::testing::Test {
 protected:
  HttpReviewClientTest() {
    UpstreamConfig config;
    config.servers = {server_.url()};
    config.ca_pem = server_.tls().ca().certificate().pem;
    config.token = "weirs-own";
    pool_ = std::make_unique<UpstreamPool>(worker_, Upstream::Make(config, "", "").value());
    client_ = MakeHttpReviewClient(*pool_);
    worker_.Start();
  }
  ~HttpReviewClientTest() override {
    CallOn(worker_, [this] { pool_->Close(); });
    worker_.Discard();
  }

  StatusOr<ReviewAnswer> Post(const std::string& body) {
    StatusOr<ReviewAnswer> result = Internal("no answer");
    RunOn(worker_, [&]() -> Async<void> {
      const Promise<StatusOr<ReviewAnswer>> promise(worker_);
      bool inside = true;
      client_->Post("/apis/x", body, [promise, &inside](StatusOr<ReviewAnswer> answer) {
        EXPECT_FALSE(inside);
        promise.Set(std::move(answer));
      });
      inside = false;
      result = (co_await promise.Take()).value();
    });
    return result;
  }

  ScriptedServer server_;
  Worker worker_{0};
  std::unique_ptr<UpstreamPool> pool_;
  std::unique_ptr<ReviewClient> client_;
};

TEST_F(HttpReviewClientTest, PostsJsonWithWeirsOwnCredentialAndBringsTheAnswer) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: "
           "chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\":1}\r\n0\r\n\r\n";
  });
  const auto answer = Post("{\"q\":1}");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->status, 201);
  EXPECT_EQ(answer->body, "{\"a\":1}");
  const auto requests = server_.requests();
  EXPECT_EQ(requests.at(0).head.method, "POST");
  EXPECT_EQ(requests.at(0).body, "{\"q\":1}");
  EXPECT_EQ(*requests.at(0).head.headers.First("Content-Type"), "application/json");
  EXPECT_EQ(*requests.at(0).head.headers.First("Authorization"), "Bearer weirs-own");
}

TEST_F(HttpReviewClientTest, AKeptConnectionThatDiesUnderTheRequestIsTriedOnceAnew) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Reply(Answer200("kept")); });
  EXPECT_EQ(Post("1")->body, "kept");
  server_.OnRequest([](const ScriptedServer::Request& request) {
    return request.connection == 0 ? Reply("", After::kCut) : Reply(Answer200("fresh"));
  });
  const auto answer = Post("2");
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "fresh");
  EXPECT_EQ(server_.requests().size(), 3u);
}

TEST_F(HttpReviewClientTest, AFreshConnectionThatDiesIsNotTriedAgain) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Reply("", After::kCut); });
  EXPECT_TRUE(absl::IsUnavailable(Post("1").status()));
  EXPECT_EQ(server_.requests().size(), 1u);
}

TEST_F(HttpReviewClientTest, AnAnswerAboveItsBoundIsRefused) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply(Answer200(std::string((1 << 20) + 1, 'x')));
  });
  EXPECT_TRUE(absl::IsResourceExhausted(Post("1").status()));
  server_.OnRequest(
      [](const ScriptedServer::Request&) { return Reply(Answer200(std::string(1 << 20, 'x'))); });
  EXPECT_EQ(Post("2")->body.size(), size_t{1} << 20);
}

TEST_F(HttpReviewClientTest, AMalformedAnswerIsAnError) {
  server_.OnRequest([](const ScriptedServer::Request&) {
    return Reply("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx");
  });
  EXPECT_FALSE(Post("1").ok());
}

}  // namespace
}  // namespace weir
