// A pool that speaks HTTP/2 with a scripted peer.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/admin/metrics.h"
#include "proxy/upstream/pool.h"
#include "tests/proxy/upstream/http2_peer.h"

namespace weir {

class Http2UpstreamTest : public ::testing::Test {
 protected:
  using Exchange = std::unique_ptr<UpstreamExchange>;
  struct Got {
    Status status;
    http::ResponseHead head;
    std::vector<int> interim;
    std::string body;
    http::HeaderList trailers;
  };

  Http2UpstreamTest()
      : own_(peer_.tls().ca().Issue({.subject = {{"CN", "weir"}}})),
        front_proxy_(peer_.tls().ca().Issue({.subject = {{"CN", "front-proxy"}}})) {
    worker_.Start();
  }
  ~Http2UpstreamTest() override {
    Peek([this] {
      if (pool_ != nullptr) pool_->Close();
    });
    worker_.Discard();
    pool_.reset();
    EXPECT_EQ(ProcessMetrics().upstream_connections.value(), 0);
    EXPECT_EQ(ProcessMetrics().upstream_http2_connections.value(), 0);
    EXPECT_EQ(ProcessMetrics().upstream_http2_streams.value(), 0);
  }

  UpstreamConfig Settings(const TestCertificate& own) {
    UpstreamConfig config;
    config.servers = {peer_.url()};
    config.ca_pem = peer_.tls().ca().certificate().pem;
    config.client_cert_pem = own.pem;
    config.client_key_pem = own.key_pem;
    return config;
  }
  void Connect(std::vector<std::string> servers = {}, const Http2Pool::Options& options = {}) {
    UpstreamConfig config = Settings(own_);
    if (!servers.empty()) config.servers = std::move(servers);
    config.insecure_skip_tls_verify = config.servers.size() > 1;
    upstream_ = Upstream::Make(config, front_proxy_.pem, front_proxy_.key_pem).value();
    pool_ = std::make_unique<UpstreamPool>(worker_, upstream_, options);
  }
  template <typename Task>
  void Peek(Task task) {
    CallOn(worker_, task);
  }

  static http::RequestHead Request(const std::string& method, const std::string& target = "/x") {
    http::RequestHead head;
    head.method = method;
    head.target = target;
    head.headers.Add("Host", "weir");
    head.headers.Add("Accept", "application/json");
    return head;
  }
  static UpstreamPool::Wanted Over2(CredentialClass credential = CredentialClass::kFrontProxy) {
    UpstreamPool::Wanted wanted;
    wanted.credential = credential;
    wanted.http2 = true;
    return wanted;
  }
  static UpstreamPool::Wanted Bearing(const std::string& token) {
    UpstreamPool::Wanted wanted = Over2(CredentialClass::kNone);
    wanted.bearer = ProvenTokens::KeyOf("Bearer " + token);
    return wanted;
  }

  // Sends a head; null: it could not be begun.
  Exchange Begin(UpstreamPool::Wanted wanted, http::RequestHead head = Request("GET")) {
    Exchange exchange;
    RunOn(worker_, [&]() -> Async<void> {
      auto begun = co_await pool_->Begin(wanted);
      EXPECT_TRUE(begun.ok()) << begun.status();
      if (!begun.ok()) co_return;
      exchange = *std::move(begun);
      http::RequestHead copy = head;
      EXPECT_TRUE((co_await exchange->SendHead(std::move(copy))).ok());
    });
    return exchange;
  }
  Exchange Begin() { return Begin(Over2()); }
  // The rest of an answer.
  Async<void> ReadAll(UpstreamExchange& exchange, std::string method, Got& got) {
    for (;;) {
      auto head = co_await exchange.ReadHead(method, std::chrono::seconds(20));
      got.status = head.status();
      if (!head.ok()) co_return;
      got.head = *std::move(head);
      if (got.head.status >= 200) break;
      got.interim.push_back(got.head.status);
    }
    for (;;) {
      const auto piece = co_await exchange.ReadBody();
      got.status = piece.status();
      if (!piece.ok() || piece->empty()) break;
      got.body += *piece;
    }
    got.trailers = exchange.trailers();
  }
  Got Read(const Exchange& exchange, const std::string& method = "GET") {
    Got got;
    RunOn(worker_, [&]() -> Async<void> { co_await ReadAll(*exchange, method, got); });
    return got;
  }
  Got Ask(UpstreamPool::Wanted wanted, http::RequestHead head = Request("GET")) {
    const std::string method = head.method;
    Exchange exchange = Begin(wanted, std::move(head));
    Got got =
        exchange != nullptr ? Read(exchange, method) : Got{Internal("not begun"), {}, {}, {}, {}};
    End(std::move(exchange));
    return got;
  }
  void End(Exchange exchange) {
    Peek([&] {
      if (exchange != nullptr) pool_->Finish(std::move(exchange));
    });
  }

  Http2Peer peer_;
  TestCertificate own_, front_proxy_;
  Worker worker_{0};
  std::shared_ptr<Upstream> upstream_;
  std::unique_ptr<UpstreamPool> pool_;
};

}  // namespace weir
