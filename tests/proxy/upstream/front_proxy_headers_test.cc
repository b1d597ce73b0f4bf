#include "proxy/upstream/front_proxy_headers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "tests/proxy/upstream/scripted_server.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// As kube-apiserver writes it.
constexpr const char* kConfigMap =
    R"json({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"extension-apiserver-authentication"},
"data":{"client-ca-file":"-----BEGIN CERTIFICATE-----\n","requestheader-allowed-names":"[\"front-proxy-client\"]",
"requestheader-client-ca-file":"-----BEGIN CERTIFICATE-----\n",
"requestheader-extra-headers-prefix":"[\"X-Remote-Extra-\",\"X-Corp-\"]",
"requestheader-group-headers":"[\"X-Remote-Group\"]","requestheader-uid-headers":"[\"X-Remote-Uid\"]",
"requestheader-username-headers":"[\"X-Remote-User\",\"X-Corp-User\"]"}})json";

TEST(ParseFrontProxyHeadersTest, ReadsNamesAndPrefixes) {
  const auto headers = ParseFrontProxyHeaders(kConfigMap);
  ASSERT_TRUE(headers.ok()) << headers.status();
  EXPECT_THAT(headers->names,
              ElementsAre("X-Remote-Group", "X-Remote-Uid", "X-Remote-User", "X-Corp-User"));
  EXPECT_THAT(headers->prefixes, ElementsAre("X-Remote-Extra-", "X-Corp-"));
}

TEST(ParseFrontProxyHeadersTest, AnAPIServerWithoutAFrontProxyNamesNone) {
  for (const char* text : {"{}", R"({"data":null})", R"({"data":{"client-ca-file":"x"}})",
                           R"({"data":{"requestheader-username-headers":"[]"}})",
                           // It would be every header's beginning.
                           R"({"data":{"requestheader-extra-headers-prefix":"[\"\"]"}})"}) {
    const auto headers = ParseFrontProxyHeaders(text);
    ASSERT_TRUE(headers.ok()) << text << headers.status();
    EXPECT_THAT(headers->names, IsEmpty()) << text;
    EXPECT_THAT(headers->prefixes, IsEmpty()) << text;
  }
}

TEST(ParseFrontProxyHeadersTest, WhatIsNoListOfNamesIsAnError) {
  const auto refused = [](const char* text) {
    return std::string(Message(ParseFrontProxyHeaders(text).status()));
  };
  EXPECT_THAT(refused("x"), HasSubstr("no JSON"));
  EXPECT_THAT(refused(R"({"data":{"requestheader-uid-headers":["X"]}})"),
              HasSubstr("requestheader-uid-headers is no text"));
  EXPECT_THAT(refused(R"({"data":{"requestheader-uid-headers":"X-Remote-Uid"}})"),
              HasSubstr("requestheader-uid-headers is no list: X-Remote-Uid"));
  EXPECT_THAT(refused(R"({"data":{"requestheader-group-headers":"[1]"}})"),
              HasSubstr("requestheader-group-headers holds another type: [1]"));
}

class ReadingTest : public ::testing::Test {
 protected:
  void Start(Duration refusal_counts = Duration(0)) {
    UpstreamConfig config;
    config.servers = {server_.url()};
    config.ca_pem = server_.tls().ca().certificate().pem;
    pool_ = std::make_unique<UpstreamPool>(worker_, Upstream::Make(config, "", "").value());
    worker_.Start();
    CallOn(worker_, [this, refusal_counts] {
      StartReadingFrontProxyHeaders(
          *pool_,
          [this](const FrontProxyHeaders& headers) {
            const std::lock_guard lock(mutex_);
            told_.push_back(headers.names);
          },
          refusal_counts);
    });
  }
  ~ReadingTest() override {
    CallOn(worker_, [this] { pool_->Close(); });
    worker_.Discard();
  }
  // The first thing that was told.
  std::vector<std::string> Told() {
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (!told_.empty()) return told_.front();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  std::mutex mutex_;
  std::vector<std::vector<std::string>> told_;
  ScriptedServer server_;
  Worker worker_{0};
  std::unique_ptr<UpstreamPool> pool_;
};

std::string Json(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

TEST_F(ReadingTest, TellsWhatTheAPIServerSays) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Json("200 OK", kConfigMap); });
  Start();
  EXPECT_EQ(Told().back(), "X-Corp-User");
  EXPECT_EQ(server_.requests().front().head.target,
            "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication");
}

TEST_F(ReadingTest, ARefusalThatLastsIsAnAnswer) {
  server_.OnRequest([](const ScriptedServer::Request&) { return Json("403 Forbidden", "no"); });
  Start();
  EXPECT_THAT(Told(), IsEmpty());
}

TEST_F(ReadingTest, ARefusalOfAnAPIServerThatStartsIsNone) {
  std::atomic<int> asked = 0;
  server_.OnRequest([&asked](const ScriptedServer::Request&) {
    return ++asked == 1 ? Json("403 Forbidden", "no") : Json("200 OK", kConfigMap);
  });
  Start(std::chrono::minutes(1));
  EXPECT_EQ(Told().back(), "X-Corp-User");
}

TEST_F(ReadingTest, AFailureIsNone) {
  std::atomic<int> asked = 0;
  server_.OnRequest([&asked](const ScriptedServer::Request&) {
    return ++asked == 1 ? Json("500 Internal Server Error", "no") : Json("200 OK", kConfigMap);
  });
  Start();
  EXPECT_EQ(Told().back(), "X-Corp-User");
}

}  // namespace
}  // namespace weir
