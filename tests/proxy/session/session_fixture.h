// A worker's service with fakes around it: who asks, what they may, a cache of pods, and a scripted
// API server.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/replica.h"
#include "proxy/session/router.h"
#include "proxy/session/service.h"
#include "tests/fakes/log_builder.h"
#include "tests/proxy/session/memory_exchange.h"
#include "tests/proxy/upstream/scripted_server.h"

namespace weir {

class FakeAuthenticator final : public Authenticator {
 public:
  FakeAuthenticator() {
    auto identity = std::make_shared<Identity>();
    identity->name = "alice";
    identity->groups = {"dev", "system:authenticated"};
    identity->method = Identity::Method::kToken;
    result = {AuthResult::Kind::kAuthenticated, identity};
    credentials.kind = Credentials::Kind::kToken;
    credentials.token = "alices-token";
  }
  CertificateVerdict Verify(const PresentedCertificates&) override { return verdict; }
  bool StillValid(const CertificateVerdict&) const override { return true; }
  std::vector<std::string> CaSubjects() const override { return {}; }
  Status Reload() override { return OkStatus(); }
  Credentials Inspect(const CertificateVerdict&, const http::HeaderList&) const override {
    return credentials;
  }
  void Authenticate(const CertificateVerdict&, const http::HeaderList&, Executor&, ReviewClient&,
                    absl::AnyInvocable<void(AuthResult)> done) override {
    ++asked;
    done(result);
  }
  AuthResult result;
  Credentials credentials;
  CertificateVerdict verdict;
  size_t asked = 0;
};

class FakeAuthorizer final : public Authorizer {
 public:
  void Authorize(IdentityRef identity, Attributes attributes, Executor&, ReviewClient&,
                 absl::AnyInvocable<void(Verdict)> done) override {
    asked.push_back(attributes);
    Verdict verdict;
    verdict.kind = kind;
    if (kind == Verdict::Kind::kAllowed)
      verdict.authorized = MakeAuthorized(std::move(identity), std::move(attributes));
    done(std::move(verdict));
  }
  Verdict::Kind kind = Verdict::Kind::kAllowed;
  std::vector<Attributes> asked;
};

class FakeRegistry final : public Registry {
 public:
  void Open(size_t, const ResourceId& id, const WantedEncoding&,
            absl::AnyInvocable<void(std::shared_ptr<Replica>)> done) override {
    opened.push_back(id);
    done(replica);
  }
  bool IsOpen(const ResourceId&, const WantedEncoding&) override { return open; }
  std::vector<FeedStatus> Status() override { return {}; }
  void Shutdown() override {}
  std::shared_ptr<Replica> replica;  // Null: forward.
  std::vector<ResourceId> opened;
  bool open = true;
};

// Proofs that come at once, or never.
class FakeProofs final : public ProofSource {
 public:
  void Prove(Revision, Executor&, absl::AnyInvocable<void(bool)> done) override {
    if (answer.has_value()) return done(*answer);
    waiting.push_back(std::move(done));
  }
  std::optional<bool> answer = true;
  std::vector<absl::AnyInvocable<void(bool)>> waiting;
};

class NoReviews final : public ReviewClient {
 public:
  void Post(std::string, std::string, absl::AnyInvocable<void(StatusOr<ReviewAnswer>)>) override {
    ADD_FAILURE() << "the fakes ask nobody";
  }
};

class SessionTest : public ::testing::Test {
 protected:
  SessionTest()
      : front_proxy_(api_server_.tls().ca().Issue({.subject = {{"CN", "front-proxy"}}})),
        upstream_(MakeUpstream()),
        pool_(worker_, upstream_),
        shared_{live_, registry_, authenticator_, authorizer_, *upstream_},
        service_{shared_, worker_, pool_, reviews_} {
    shared_.identity_headers.Add({}, {});
    config_.max_requests_inflight = 100;
    auto fake = std::make_unique<FakeRegistry>();
    fake_registry_ = fake.get();
    registry_ = std::move(fake);
    worker_.Start();
    CallOn(worker_, [this] {
      replica_ = Replica::Make(worker_, proofs_, {});
      log_.now = worker_.Now();
      log_.Seed("default/a", 90, {.note = "secret-of-a"}).Seed("other/b", 95, {.note = "of-b"});
      replica_->OnReset(log_.Begin(), CacheState::kSynced);
      fake_registry_->replica = replica_;
    });
    api_server_.OnRequest(
        [](const ScriptedServer::Request&) { return Answer200("from upstream"); });
  }
  ~SessionTest() override {
    CallOn(worker_, [this] {
      pool_.Close();
      fake_registry_->replica = nullptr;
      replica_ = nullptr;
    });
    worker_.Discard();
  }

  std::shared_ptr<Upstream> MakeUpstream() {
    UpstreamConfig config;
    config.servers = {api_server_.url()};
    config.ca_pem = api_server_.tls().ca().certificate().pem;
    return Upstream::Make(config, front_proxy_.pem, front_proxy_.key_pem).value();
  }

  static http::RequestHead Get(std::string target) {
    http::RequestHead head;
    head.method = "GET";
    head.target = std::move(target);
    head.headers.Add("Host", "weir");
    head.headers.Add("Accept", "application/json");
    head.headers.Add("Authorization", "Bearer alices-token");
    return head;
  }
  // Handles one request to its end.
  std::unique_ptr<MemoryExchange> Handle(http::RequestHead head,
                                         std::deque<std::string> pieces = {}) {
    auto exchange = std::make_unique<MemoryExchange>(worker_, std::move(head));
    exchange->pieces = std::move(pieces);
    RunOn(worker_, [&]() -> Async<void> {
      co_await HandleRequest(service_, *exchange);
      co_await exchange->UntilOver();
    });
    return exchange;
  }
  std::unique_ptr<MemoryExchange> HandleGet(std::string target) {
    return Handle(Get(std::move(target)));
  }
  std::vector<std::string> UpstreamTargets() {
    std::vector<std::string> targets;
    for (const auto& request : api_server_.requests()) targets.push_back(request.head.target);
    return targets;
  }

  ScriptedServer api_server_;
  TestCertificate front_proxy_;
  Config config_;
  LiveConfig live_{config_};
  Worker worker_{0};
  std::shared_ptr<Upstream> upstream_;
  UpstreamPool pool_;
  FakeAuthenticator authenticator_;
  FakeAuthorizer authorizer_;
  std::unique_ptr<Registry> registry_;
  FakeRegistry* fake_registry_ = nullptr;
  NoReviews reviews_;
  ServiceShared shared_;
  Service service_;
  LogBuilder log_;
  std::shared_ptr<FakeProofs> proofs_ = std::make_shared<FakeProofs>();
  std::shared_ptr<Replica> replica_;
};

}  // namespace weir
