#include "proxy/auth/authenticator.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <filesystem>
#include <thread>

#include "proxy/admin/metrics.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/fake_reviews.h"
#include "tests/fakes/manual_executor.h"
#include "tests/fakes/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;
using Kind = AuthResult::Kind;

constexpr const char* kAlice =
    R"({"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"alice"}}})";
constexpr const char* kRefused =
    R"({"kind":"TokenReview","status":{"user":{},"error":"invalid bearer token"}})";

// A token that looks like a JWT which expires `from_now`.
std::string Jwt(std::chrono::seconds from_now) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const std::string claims = fmt::format(R"({{"exp":{}}})", (now + from_now).count());
  std::string encoded(64, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                   reinterpret_cast<const unsigned char*>(claims.data()),
                                   static_cast<int>(claims.size()));
  encoded.resize(static_cast<size_t>(size));
  while (encoded.ends_with('=')) encoded.pop_back();
  return "e30." + encoded + ".sig";
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest() { Make({}); }

  void Make(Authenticator::Options options) {
    options.client_ca_file = folder_.Write("ca.crt", ca_.certificate().pem);
    auto made = Authenticator::Make(options);
    ASSERT_TRUE(made.ok()) << made.status();
    authenticator_ = *std::move(made);
  }

  CertificateVerdict Verdict(const CertificateSpec& spec) {
    return authenticator_->Verify({.leaf = ca_.Issue(spec).der, .others = {}});
  }
  CertificateVerdict Valid() { return Verdict({.subject = {{"O", "dev"}, {"CN", "carol"}}}); }
  CertificateVerdict Invalid() {
    return Verdict({.subject = {{"CN", "mallory"}}, .valid_for_seconds = -1});
  }

  static http::HeaderList Bearer(std::string_view token) {
    http::HeaderList headers;
    headers.Add("authorization", "Bearer " + std::string(token));
    return headers;
  }

  void Authenticate(const CertificateVerdict& certificate, const http::HeaderList& headers) {
    authenticator_->Authenticate(
        certificate, headers, executor_, reviews_,
        [this](AuthResult result) { results_.push_back(std::move(result)); });
  }
  void Answer(const std::string& body) {
    reviews_.Answer(body);
    executor_.RunReady();
  }
  // Of a request whose answer is there without asking upstream.
  AuthResult Now(const CertificateVerdict& certificate, const http::HeaderList& headers) {
    results_.clear();
    const size_t asked = reviews_.count();
    Authenticate(certificate, headers);
    EXPECT_EQ(reviews_.count(), asked);
    EXPECT_EQ(results_.size(), 1u);
    return results_.empty() ? AuthResult() : results_.back();
  }
  Kind KindNow(const CertificateVerdict& certificate, const http::HeaderList& headers) {
    return Now(certificate, headers).kind;
  }

  TempFolder folder_;
  TestCa ca_{"ca"};
  ManualExecutor executor_;
  FakeReviews reviews_;
  std::unique_ptr<Authenticator> authenticator_;
  std::vector<AuthResult> results_;
};

TEST_F(AuthenticatorTest, WithoutACredentialItIsAnonymous) {
  EXPECT_EQ(KindNow({}, {}), Kind::kAnonymous);
  http::HeaderList basic;
  basic.Add("Authorization", "Basic abc");
  EXPECT_EQ(KindNow({}, basic), Kind::kAnonymous);
  EXPECT_EQ(KindNow({}, Bearer(" abc")), Kind::kAnonymous);
}

TEST_F(AuthenticatorTest, ACertificateBeatsAToken) {
  const AuthResult result = Now(Valid(), Bearer("whatever"));
  EXPECT_EQ(result.kind, Kind::kAuthenticated);
  EXPECT_EQ(result.identity->name, "carol");
  EXPECT_THAT(result.identity->groups, ElementsAre("dev", "system:authenticated"));
}

TEST_F(AuthenticatorTest, AnInvalidCertificateIsNeverAnonymous) {
  EXPECT_EQ(KindNow(Invalid(), {}), Kind::kRejected);
  http::HeaderList basic;
  basic.Add("Authorization", "Basic abc");
  EXPECT_EQ(KindNow(Invalid(), basic), Kind::kRejected);
  EXPECT_EQ(KindNow(Verdict({.subject = {{"CN", ""}}}), {}), Kind::kRejected);
}

TEST_F(AuthenticatorTest, AValidTokenBeatsAnInvalidCertificate) {
  Authenticate(Invalid(), Bearer("good"));
  Answer(kAlice);
  ASSERT_EQ(results_.size(), 1u);
  EXPECT_EQ(results_[0].kind, Kind::kAuthenticated);
  EXPECT_EQ(results_[0].identity->name, "alice");
}

TEST_F(AuthenticatorTest, ACertificateOfTheAnonymousUserIsAnonymous) {
  const AuthResult result = Now(Verdict({.subject = {{"CN", "system:anonymous"}}}), {});
  EXPECT_EQ(result.kind, Kind::kAnonymous);
  EXPECT_NE(result.identity, nullptr);
}

TEST_F(AuthenticatorTest, SeveralAuthorizationLinesAreRefused) {
  http::HeaderList headers = Bearer("a");
  headers.Add("Authorization", "Bearer a");
  EXPECT_EQ(KindNow({}, headers), Kind::kRejected);
  EXPECT_EQ(KindNow(Valid(), headers), Kind::kRejected);
}

TEST_F(AuthenticatorTest, ATokenOfOtherBytesIsRefusedWithoutAsking) {
  EXPECT_EQ(KindNow({}, Bearer("a\xc3\xa9")), Kind::kRejected);
  EXPECT_EQ(KindNow({}, Bearer("a\tb")), Kind::kRejected);
}

TEST_F(AuthenticatorTest, InspectTellsTheTokenAndAsksNobody) {
  const Credentials credentials = authenticator_->Inspect({}, Bearer("abc"));
  EXPECT_EQ(credentials.kind, Credentials::Kind::kToken);
  EXPECT_EQ(credentials.token, "abc");
  EXPECT_EQ(authenticator_->Inspect(Valid(), {}).kind, Credentials::Kind::kCertificate);
  EXPECT_EQ(authenticator_->Inspect({}, {}).kind, Credentials::Kind::kNone);
  EXPECT_EQ(reviews_.count(), 0u);
}

TEST_F(AuthenticatorTest, ATokenIsReviewedOnceAndRememberedForItsTtl) {
  Authenticate({}, Bearer("good"));
  ASSERT_EQ(reviews_.pending().size(), 1u);
  EXPECT_EQ(reviews_.pending()[0].path, "/apis/authentication.k8s.io/v1/tokenreviews");
  EXPECT_THAT(reviews_.pending()[0].body, HasSubstr(R"("token":"good")"));
  Answer(kAlice);
  executor_.Advance(9s);
  EXPECT_EQ(Now({}, Bearer("good")).identity->name, "alice");
  executor_.Advance(1s);
  Authenticate({}, Bearer("good"));
  EXPECT_EQ(reviews_.count(), 2u);
}

TEST_F(AuthenticatorTest, ARefusalIsRememberedToo) {
  Authenticate({}, Bearer("bad"));
  Answer(kRefused);
  EXPECT_EQ(results_.back().kind, Kind::kRejected);
  executor_.Advance(9s);
  EXPECT_EQ(KindNow({}, Bearer("bad")), Kind::kRejected);
  executor_.Advance(1s);
  Authenticate({}, Bearer("bad"));
  EXPECT_EQ(reviews_.count(), 2u);
}

TEST_F(AuthenticatorTest, AVerdictForTheAnonymousUserIsARefusal) {
  Authenticate({}, Bearer("odd"));
  Answer(
      R"({"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"system:anonymous"}}})");
  EXPECT_EQ(results_.back().kind, Kind::kRejected);
}

TEST_F(AuthenticatorTest, AFailureIsUnavailableAndNotRemembered) {
  Authenticate({}, Bearer("good"));
  reviews_.Fail(403);
  executor_.RunReady();
  EXPECT_EQ(results_.back().kind, Kind::kUnavailable);
  Authenticate({}, Bearer("good"));
  Answer("garbage");
  EXPECT_EQ(results_.back().kind, Kind::kUnavailable);
  Authenticate({}, Bearer("good"));
  Answer(kAlice);
  EXPECT_EQ(results_.back().kind, Kind::kAuthenticated);
}

TEST_F(AuthenticatorTest, APositiveVerdictOutlivesNeitherItsTtlNorAnOutage) {
  Authenticate({}, Bearer("good"));
  Answer(kAlice);
  executor_.Advance(10s);
  Authenticate({}, Bearer("good"));
  reviews_.Answer(DeadlineExceeded("10 s"));
  executor_.RunReady();
  EXPECT_EQ(results_.back().kind, Kind::kUnavailable);
}

TEST_F(AuthenticatorTest, AVerdictNeverOutlivesTheTokensOwnEnd) {
  Make({.token_ttl = 1h});
  const std::string soon = Jwt(100s);
  Authenticate({}, Bearer(soon));
  Answer(kAlice);
  const auto in_160s = std::chrono::system_clock::now() + 160s;
  EXPECT_LE(results_.back().identity->expires, in_160s);
  EXPECT_GT(results_.back().identity->expires, in_160s - 10s);
  EXPECT_EQ(KindNow({}, Bearer(soon)), Kind::kAuthenticated);
  executor_.Advance(100s);
  Authenticate({}, Bearer(soon));
  EXPECT_EQ(reviews_.count(), 2u);
}

TEST_F(AuthenticatorTest, ATokenPastItsEndIsAskedForEachTime) {
  const std::string late = Jwt(-30s);
  Authenticate({}, Bearer(late));
  Answer(kAlice);
  EXPECT_EQ(results_.back().kind, Kind::kAuthenticated);
  Authenticate({}, Bearer(late));
  EXPECT_EQ(reviews_.count(), 2u);
}

TEST_F(AuthenticatorTest, BadTokensDoNotEvictGoodOnes) {
  Make({.max_tokens = 2, .max_negative_tokens = 2});
  Authenticate({}, Bearer("good"));
  Answer(kAlice);
  for (int i = 0; i < 100; ++i) {
    Authenticate({}, Bearer(fmt::format("bad{}", i)));
    Answer(kRefused);
  }
  EXPECT_EQ(KindNow({}, Bearer("good")), Kind::kAuthenticated);
}

TEST_F(AuthenticatorTest, WorkersThatAskForOneTokenShareTheReview) {
  ManualExecutor other;
  FakeReviews other_reviews;
  std::vector<Kind> heard;
  Authenticate({}, Bearer("good"));
  authenticator_->Authenticate({}, Bearer("good"), other, other_reviews,
                               [&](AuthResult result) { heard.push_back(result.kind); });
  EXPECT_EQ(other_reviews.count(), 0u);
  Answer(kAlice);
  EXPECT_THAT(heard, IsEmpty());
  other.RunReady();
  EXPECT_THAT(heard, ElementsAre(Kind::kAuthenticated));
}

TEST_F(AuthenticatorTest, TooManyTokensAtOnceAreOverload) {
  Make({.max_in_flight = 1, .max_waiting = 2});
  Authenticate({}, Bearer("1"));
  Authenticate({}, Bearer("2"));
  EXPECT_EQ(KindNow({}, Bearer("3")), Kind::kOverloaded);
}

TEST_F(AuthenticatorTest, AStormOfBadTokensDoesNotTurnAwayOneThatWasGood) {
  Make({.token_ttl = std::chrono::seconds(1), .max_in_flight = 1, .max_waiting = 2});
  Authenticate({}, Bearer("good"));
  Answer(kAlice);
  executor_.Advance(std::chrono::seconds(2));
  Authenticate({}, Bearer("bad1"));
  Authenticate({}, Bearer("bad2"));
  EXPECT_EQ(KindNow({}, Bearer("bad3")), Kind::kOverloaded);
  Authenticate({}, Bearer("good"));
  Answer(kRefused);
  Answer(kAlice);
  EXPECT_EQ(KindNow({}, Bearer("good")), Kind::kAuthenticated) << "before bad2";
}

TEST_F(AuthenticatorTest, TheCaBundleIsReadAgainAndTheLastGoodOneStays) {
  const CertificateVerdict before = Valid();
  EXPECT_EQ(authenticator_->CaSubjects().size(), 1u);
  EXPECT_TRUE(authenticator_->Reload().ok());
  EXPECT_TRUE(authenticator_->StillValid(before));

  folder_.Write("ca.crt", "nonsense");
  EXPECT_THAT(std::string(Message(authenticator_->Reload())), HasSubstr("--client-ca-file"));
  EXPECT_TRUE(authenticator_->StillValid(before));
  std::filesystem::remove(folder_.PathOf("ca.crt"));
  EXPECT_FALSE(authenticator_->Reload().ok());
  EXPECT_TRUE(authenticator_->StillValid(before));

  folder_.Write("ca.crt", TestCa("new").certificate().pem);
  EXPECT_TRUE(authenticator_->Reload().ok());
  EXPECT_FALSE(authenticator_->StillValid(before));
  EXPECT_EQ(Valid().kind, CertificateVerdict::Kind::kInvalid);
}

// How many certificates were parsed and checked, and not merely remembered.
class VerifiedCertificates {
 public:
  uint64_t operator()() const {
    return ProcessMetrics().certificate_cache_misses.value() - before_;
  }

 private:
  const uint64_t before_ = ProcessMetrics().certificate_cache_misses.value();
};

TEST_F(AuthenticatorTest, ACertificateIsVerifiedOnceForAllItsConnections) {
  const PresentedCertificates carol = {.leaf = ca_.Issue({.subject = {{"CN", "carol"}}}).der,
                                       .others = {}};
  const VerifiedCertificates verified;
  const CertificateVerdict first = authenticator_->Verify(carol);
  const CertificateVerdict second = authenticator_->Verify(carol);
  EXPECT_EQ(verified(), 1u);
  EXPECT_EQ(second.kind, CertificateVerdict::Kind::kValid);
  EXPECT_EQ(second.identity, first.identity);  // One object.
  EXPECT_EQ(second.not_after, first.not_after);
  EXPECT_EQ(second.ca_generation, first.ca_generation);
}

TEST_F(AuthenticatorTest, OtherBytesOfTheSameNameAreVerified) {
  const VerifiedCertificates verified;
  const TestCa stranger("stranger");
  EXPECT_EQ(Valid().kind, CertificateVerdict::Kind::kValid);
  const CertificateSpec spec = {.subject = {{"O", "dev"}, {"CN", "carol"}}};
  EXPECT_EQ(authenticator_->Verify({.leaf = stranger.Issue(spec).der, .others = {}}).kind,
            CertificateVerdict::Kind::kInvalid);
  // What came with the leaf is a part of the question.
  const PresentedCertificates alone = {.leaf = ca_.Issue(spec).der, .others = {}};
  EXPECT_EQ(authenticator_->Verify(alone).kind, CertificateVerdict::Kind::kValid);
  EXPECT_EQ(authenticator_->Verify({.leaf = alone.leaf, .others = {"nonsense"}}).kind,
            CertificateVerdict::Kind::kInvalid);
  EXPECT_EQ(verified(), 4u);
}

TEST_F(AuthenticatorTest, ABadCertificateIsVerifiedEachTime) {
  const PresentedCertificates old = {
      .leaf = ca_.Issue({.subject = {{"CN", "mallory"}}, .valid_for_seconds = -1}).der,
      .others = {}};
  const VerifiedCertificates verified;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(authenticator_->Verify(old).kind, CertificateVerdict::Kind::kInvalid);
  EXPECT_EQ(verified(), 3u);
}

TEST_F(AuthenticatorTest, ARememberedCertificateEndsWithItselfAndItsAuthority) {
  const PresentedCertificates brief = {
      .leaf = ca_.Issue({.subject = {{"CN", "brief"}}, .valid_for_seconds = 2}).der, .others = {}};
  const PresentedCertificates carol = {.leaf = ca_.Issue({.subject = {{"CN", "carol"}}}).der,
                                       .others = {}};
  EXPECT_EQ(authenticator_->Verify(brief).kind, CertificateVerdict::Kind::kValid);
  EXPECT_EQ(authenticator_->Verify(carol).kind, CertificateVerdict::Kind::kValid);
  std::this_thread::sleep_for(3s);
  EXPECT_EQ(authenticator_->Verify(brief).kind, CertificateVerdict::Kind::kInvalid);

  folder_.Write("ca.crt", TestCa("new").certificate().pem);
  EXPECT_TRUE(authenticator_->Reload().ok());
  EXPECT_EQ(authenticator_->Verify(carol).kind, CertificateVerdict::Kind::kInvalid);
}

TEST_F(AuthenticatorTest, ACertificateOfManyGroupsIsVerifiedEachTime) {
  CertificateSpec spec;
  for (int i = 0; i < 400; ++i) spec.subject.emplace_back("O", fmt::format("group-{}", i));
  spec.subject.emplace_back("CN", "carol");
  const PresentedCertificates carol = {.leaf = ca_.Issue(spec).der, .others = {}};
  const VerifiedCertificates verified;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(authenticator_->Verify(carol).kind, CertificateVerdict::Kind::kValid);
  EXPECT_EQ(verified(), 2u);
}

TEST_F(AuthenticatorTest, RememberedCertificatesAreBounded) {
  Make({.max_certificates = 2});
  std::vector<PresentedCertificates> users;
  for (const char* name : {"a", "b", "c"})
    users.push_back({.leaf = ca_.Issue({.subject = {{"CN", name}}}).der, .others = {}});
  for (const PresentedCertificates& user : users) authenticator_->Verify(user);
  const VerifiedCertificates verified;
  authenticator_->Verify(users[2]);
  authenticator_->Verify(users[1]);
  EXPECT_EQ(verified(), 0u);
  authenticator_->Verify(users[0]);
  EXPECT_EQ(verified(), 1u);
}

// A front proxy's certificate, and what it says.
class FrontProxyTest : public AuthenticatorTest {
 protected:
  FrontProxyTest() { MakeWith({"front-proxy"}); }
  void MakeWith(std::vector<std::string> names) {
    Make({.front_proxy_ca_file = folder_.Write("proxy-ca.crt", proxy_ca_.certificate().pem),
          .front_proxy_names = std::move(names),
          .front_proxy_headers = {.uid = {"X-Remote-Uid"}}});
  }
  CertificateVerdict Proxy(const std::string& name = "front-proxy") {
    return authenticator_->Verify(
        {.leaf = proxy_ca_.Issue({.subject = {{"CN", name}}}).der, .others = {}});
  }
  static http::HeaderList Says(std::string_view user) {
    http::HeaderList headers;
    headers.Add("X-Remote-User", user);
    headers.Add("X-Remote-Group", "dev");
    headers.Add("X-Remote-Uid", "u-1");
    headers.Add("X-Remote-Extra-Scopes", "a");
    return headers;
  }
  static http::HeaderList And(http::HeaderList headers, const http::HeaderList& more) {
    for (const http::Header& line : more.lines()) headers.Add(line.name, line.value);
    return headers;
  }

  TestCa proxy_ca_{"front-proxy-ca"};
};

TEST_F(FrontProxyTest, ItsHeadersNameTheUserOfEachRequest) {
  const CertificateVerdict proxy = Proxy();
  for (const char* user : {"alice", "bob"}) {
    const AuthResult result = Now(proxy, Says(user));
    ASSERT_EQ(result.kind, Kind::kAuthenticated);
    EXPECT_EQ(result.identity->name, user);
    EXPECT_EQ(result.identity->uid, "u-1");
    EXPECT_THAT(result.identity->groups, ElementsAre("dev", "system:authenticated"));
    EXPECT_THAT(result.identity->extra.at("scopes"), ElementsAre("a"));
    EXPECT_EQ(result.identity->expires, proxy.front_proxy_until);
  }
  EXPECT_EQ(KindNow(proxy, Says("system:anonymous")), Kind::kAnonymous);
  // They beat a token beside them.
  EXPECT_EQ(Now(proxy, And(Says("alice"), Bearer("t"))).identity->name, "alice");
}

TEST_F(FrontProxyTest, NobodyElsesHeadersDo) {
  EXPECT_EQ(Now(Valid(), Says("root")).identity->name, "carol");
  EXPECT_EQ(KindNow(Invalid(), Says("root")), Kind::kRejected);
  EXPECT_EQ(KindNow({}, Says("root")), Kind::kAnonymous);
  EXPECT_EQ(KindNow(Proxy("another"), Says("root")), Kind::kRejected);
  const CertificateVerdict expired = authenticator_->Verify(
      {.leaf = proxy_ca_.Issue({.subject = {{"CN", "front-proxy"}}, .valid_for_seconds = -1}).der,
       .others = {}});
  EXPECT_EQ(KindNow(expired, Says("root")), Kind::kRejected);
  // An ordinary user of that name, signed by the users' CA.
  EXPECT_EQ(Now(Verdict({.subject = {{"CN", "front-proxy"}}}), Says("root")).identity->name,
            "front-proxy");
}

TEST_F(FrontProxyTest, WithoutAUserItsCertificateIsNobodys) {
  http::HeaderList headers;
  EXPECT_EQ(KindNow(Proxy(), headers), Kind::kRejected);
  headers.Add("X-Remote-User", "");
  headers.Add("X-Remote-User", "second");
  EXPECT_EQ(KindNow(Proxy(), headers), Kind::kRejected) << "the first line counts";
  // A token beside it is tried.
  Authenticate(Proxy(), Bearer("good"));
  Answer(kAlice);
  EXPECT_EQ(results_.back().identity->name, "alice");
}

TEST_F(FrontProxyTest, WithoutNamesEveryCertificateOfItsAuthorityIsOne) {
  MakeWith({});
  EXPECT_EQ(Now(Proxy("another"), Says("alice")).identity->name, "alice");
  EXPECT_EQ(Now(Valid(), Says("root")).identity->name, "carol");
}

TEST_F(FrontProxyTest, ItsAuthoritiesAreReadAgain) {
  const CertificateVerdict before = Proxy(), user = Valid();
  EXPECT_EQ(authenticator_->CaSubjects().size(), 2u);
  folder_.Write("proxy-ca.crt", "nonsense");
  EXPECT_THAT(std::string(Message(authenticator_->Reload())),
              HasSubstr("--requestheader-client-ca-file"));
  EXPECT_TRUE(authenticator_->StillValid(before));
  folder_.Write("proxy-ca.crt", TestCa("new").certificate().pem);
  EXPECT_TRUE(authenticator_->Reload().ok());
  EXPECT_FALSE(authenticator_->StillValid(before));
  EXPECT_FALSE(authenticator_->StillValid(user));
  EXPECT_EQ(KindNow(Proxy(), Says("root")), Kind::kRejected);
  EXPECT_EQ(Now(Valid(), {}).identity->name, "carol");
}

TEST_F(FrontProxyTest, AUserWhoIsNoTextIsRejected) {
  EXPECT_EQ(KindNow(Proxy(), Says("a\xff")), Kind::kRejected);
}

TEST_F(FrontProxyTest, AnAuthorityOfUsersIsOneOfFrontProxiesOnlyByName) {
  // Every user could speak for others.
  const std::string shared = proxy_ca_.certificate().pem;
  const auto make = [&](std::vector<std::string> names) {
    return Authenticator::Make(
        {.client_ca_file = folder_.Write("users.crt", TestCa("other").certificate().pem + shared),
         .front_proxy_ca_file = folder_.Write("proxies.crt", shared),
         .front_proxy_names = std::move(names)});
  };
  EXPECT_THAT(std::string(Message(make({}).status())), HasSubstr("--requestheader-allowed-names"));
  EXPECT_TRUE(make({"front-proxy"}).ok());

  MakeWith({});
  const CertificateVerdict before = Proxy();
  folder_.Write("proxy-ca.crt", ca_.certificate().pem);
  EXPECT_THAT(std::string(Message(authenticator_->Reload())),
              HasSubstr("have a certificate in common"));
  EXPECT_TRUE(authenticator_->StillValid(before));
  EXPECT_EQ(Now(Valid(), Says("root")).identity->name, "carol");
}

TEST_F(AuthenticatorTest, AVerdictEndsWithItsCertificate) {
  CertificateVerdict verdict = Valid();
  EXPECT_TRUE(authenticator_->StillValid(verdict));
  verdict.not_after = std::chrono::system_clock::now() - 1s;
  EXPECT_FALSE(authenticator_->StillValid(verdict));
  EXPECT_TRUE(authenticator_->StillValid({}));
}

TEST_F(AuthenticatorTest, WithoutABundleEveryCertificateFailsAndTokensWork) {
  auto made = Authenticator::Make({});
  ASSERT_TRUE(made.ok());
  authenticator_ = *std::move(made);
  EXPECT_EQ(KindNow(Valid(), {}), Kind::kRejected);
  EXPECT_EQ(KindNow(authenticator_->Verify({}), {}), Kind::kAnonymous);
  EXPECT_THAT(authenticator_->CaSubjects(), IsEmpty());
  EXPECT_TRUE(authenticator_->Reload().ok());
}

TEST_F(AuthenticatorTest, ABadBundleIsNamedAtTheStart) {
  const auto made = Authenticator::Make({.client_ca_file = "/nonexistent"});
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(made.status())), HasSubstr("--client-ca-file=\"/nonexistent\""));
}

}  // namespace
}  // namespace weir
