#include "proxy/auth/authenticator.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "protocol/base/log.h"
#include "protocol/base/mutex.h"
#include "proxy/admin/metrics.h"
#include "proxy/auth/bearer_token.h"
#include "proxy/auth/ca_bundle.h"
#include "proxy/auth/certificate_cache.h"
#include "proxy/auth/review_answer.h"
#include "proxy/auth/review_flights.h"
#include "proxy/auth/review_log.h"
#include "proxy/auth/token_cache.h"
#include "proxy/config/files.h"

namespace weir {
namespace {

using std::chrono::system_clock;

// How long past its `exp` upstream accepts a token.
constexpr auto kExpiryLeeway = std::chrono::minutes(1);

constexpr auto kNoFrontProxy = std::chrono::minutes(1);

constexpr std::string_view kClientCa = "client-ca-file";
constexpr std::string_view kFrontProxyCa = "requestheader-client-ca-file";
constexpr std::string_view kAnonymous = "system:anonymous";

AuthResult Result(AuthResult::Kind kind, IdentityRef identity = nullptr) {
  AuthResult result;
  result.kind = kind;
  result.identity = std::move(identity);
  return result;
}

// A certificate may name the anonymous user, whom the cache never serves.
AuthResult Authenticated(IdentityRef identity) {
  const bool anonymous = identity->name == kAnonymous;
  return Result(anonymous ? AuthResult::Kind::kAnonymous : AuthResult::Kind::kAuthenticated,
                std::move(identity));
}

Credentials Found(Credentials::Kind kind) {
  Credentials credentials;
  credentials.kind = kind;
  return credentials;
}

// Null where `file` is empty.
StatusOr<std::shared_ptr<const CaBundle>> ReadBundle(std::string_view flag, const std::string& file,
                                                     uint64_t generation) {
  if (file.empty()) return nullptr;
  const auto wrong = [&](const Status& status) {
    return InvalidArgument(fmt::format("--{}=\"{}\": {}", flag, file, Message(status)));
  };
  StatusOr<std::string> pem = ReadSmallFile(file);
  if (!pem.ok()) return wrong(pem.status());
  auto bundle = CaBundle::Parse(*std::move(pem), generation);
  if (!bundle.ok()) return wrong(bundle.status());
  for (const std::string& line : (*bundle)->Describe()) {
    Log(LogLevel::kInfo, "Client CA loaded",
        {{"option", flag}, {"certificate", line}, {"generation", generation}});
  }
  return bundle;
}

// Those of users and of front proxies; null where there are none.
struct Bundles {
  std::shared_ptr<const CaBundle> client, front_proxy;

  static uint64_t GenerationOf(const std::shared_ptr<const CaBundle>& bundle) {
    return bundle == nullptr ? 0 : bundle->generation();
  }
  uint64_t generation() const { return GenerationOf(client) + GenerationOf(front_proxy); }
};

// As kube-apiserver: any user's certificate would be a front proxy's.
Status CheckOverlap(const Bundles& bundles, const Authenticator::Options& options) {
  if (bundles.client == nullptr || bundles.front_proxy == nullptr) return OkStatus();
  if (!options.front_proxy_names.empty() || !bundles.client->Shares(*bundles.front_proxy))
    return OkStatus();
  return InvalidArgument(fmt::format(
      "--{}={} and --{}={} have a certificate in common: name the front proxies' certificates with "
      "--requestheader-allowed-names, or every user could speak for others",
      kFrontProxyCa, options.front_proxy_ca_file, kClientCa, options.client_ca_file));
}

class AuthenticatorImpl final : public Authenticator {
 public:
  AuthenticatorImpl(Options options, Bundles bundles)
      : options_(std::move(options)),
        bundles_(std::move(bundles)),
        certificates_(options_.max_certificates),
        tokens_(options_),
        flights_({.max_in_flight = options_.max_in_flight, .max_waiting = options_.max_waiting}) {}

  CertificateVerdict Verify(const PresentedCertificates& certificates) override;
  bool StillValid(const CertificateVerdict& verdict) const override;
  std::vector<std::string> CaSubjects() const override;
  Status Reload() override;
  Credentials Inspect(const CertificateVerdict& certificate,
                      const http::HeaderList& headers) const override;
  void Authenticate(const CertificateVerdict& certificate, const http::HeaderList& headers,
                    Executor& caller, ReviewClient& reviews,
                    absl::AnyInvocable<void(AuthResult)> done) override;

 private:
  Bundles bundles() const {
    const MutexLock lock(mutex_);
    return bundles_;
  }
  bool MayBeFrontProxy(const Identity& subject) const;
  CertificateVerdict VerifyAnew(const PresentedCertificates& certificates) const;
  void AskUpstream(std::string token, std::string tag, Executor& caller, ReviewClient& reviews,
                   absl::AnyInvocable<void(AuthResult)> done);
  using Expiry = std::optional<system_clock::time_point>;
  ReviewOutcome Judge(const std::string& tag, Expiry expiry, const StatusOr<ReviewAnswer>& answer,
                      TimePoint now);

  const Options options_;
  mutable Mutex mutex_;
  Bundles bundles_ ABSL_GUARDED_BY(mutex_);
  CertificateCache certificates_;
  TokenCache tokens_;
  ReviewLog log_{"TokenReview"};
  ReviewFlights flights_;
};

bool AuthenticatorImpl::MayBeFrontProxy(const Identity& subject) const {
  const std::vector<std::string>& names = options_.front_proxy_names;
  return names.empty() || std::find(names.begin(), names.end(), subject.name) != names.end();
}

CertificateVerdict AuthenticatorImpl::Verify(const PresentedCertificates& certificates) {
  if (certificates.leaf.empty()) return {};
  CertificateCache::Key key = CertificateCache::Key::Of(certificates);
  const TimePoint now = std::chrono::steady_clock::now();
  if (auto known = certificates_.Find(key, now); known.has_value() && StillValid(*known)) {
    ProcessMetrics().certificate_cache_hits.Add();
    return *std::move(known);
  }
  ProcessMetrics().certificate_cache_misses.Add();
  CertificateVerdict verdict = VerifyAnew(certificates);
  // That it is no front proxy's may be of a passing reason, such as an authority that is not valid
  // yet.
  const bool lasts = verdict.front_proxy || options_.front_proxy_ca_file.empty();
  certificates_.Put(std::move(key), verdict, lasts ? TimePoint::max() : now + kNoFrontProxy);
  return verdict;
}

CertificateVerdict AuthenticatorImpl::VerifyAnew(const PresentedCertificates& certificates) const {
  const Bundles authorities = bundles();
  CertificateVerdict verdict;
  if (authorities.client != nullptr) {
    verdict = authorities.client->Verify(certificates);
  } else {
    verdict.kind = CertificateVerdict::Kind::kInvalid;
    verdict.reason = "no client CA is configured";
  }
  if (authorities.front_proxy != nullptr) {
    const CertificateVerdict proxy = authorities.front_proxy->Verify(certificates);
    const bool valid = proxy.kind == CertificateVerdict::Kind::kValid;
    verdict.front_proxy = valid && MayBeFrontProxy(*proxy.identity);
    if (verdict.front_proxy) {
      verdict.front_proxy_until = proxy.not_after;
      verdict.not_after = std::min(verdict.not_after, proxy.not_after);
    }
  }
  verdict.ca_generation = authorities.generation();
  return verdict;
}

bool AuthenticatorImpl::StillValid(const CertificateVerdict& verdict) const {
  if (verdict.kind == CertificateVerdict::Kind::kNone) return true;
  return verdict.ca_generation == bundles().generation() && system_clock::now() < verdict.not_after;
}

std::vector<std::string> AuthenticatorImpl::CaSubjects() const {
  const Bundles authorities = bundles();
  std::vector<std::string> subjects;
  for (const auto& bundle : {authorities.client, authorities.front_proxy}) {
    if (bundle == nullptr) continue;
    for (const std::string& subject : bundle->subjects()) {
      if (std::find(subjects.begin(), subjects.end(), subject) == subjects.end())
        subjects.push_back(subject);
    }
  }
  return subjects;
}

Status AuthenticatorImpl::Reload() {
  const Bundles old = bundles();
  Bundles fresh = old;
  const auto reload = [](std::string_view flag, const std::string& file,
                         std::shared_ptr<const CaBundle>& bundle) -> Status {
    if (bundle == nullptr) return OkStatus();
    const StatusOr<std::string> pem = ReadSmallFile(file);
    if (pem.ok() && *pem == bundle->pem()) return OkStatus();
    WEIR_ASSIGN_OR_RETURN(bundle, ReadBundle(flag, file, bundle->generation() + 1));
    return OkStatus();
  };
  const Status client = reload(kClientCa, options_.client_ca_file, fresh.client);
  const Status proxy = reload(kFrontProxyCa, options_.front_proxy_ca_file, fresh.front_proxy);
  WEIR_TRY(CheckOverlap(fresh, options_));
  {
    const MutexLock lock(mutex_);
    bundles_ = std::move(fresh);
  }
  if (client.ok() || proxy.ok()) return client.ok() ? proxy : client;
  return InvalidArgument(fmt::format("{}; {}", Message(client), Message(proxy)));
}

Credentials AuthenticatorImpl::Inspect(const CertificateVerdict& certificate,
                                       const http::HeaderList& headers) const {
  // Servers differ in which of several lines they take: the proxy and upstream must never disagree.
  if (headers.Count("Authorization") > 1) return Found(Credentials::Kind::kRejected);
  if (certificate.front_proxy) {
    if (auto user = IdentityOfHeaders(options_.front_proxy_headers, headers)) {
      // A review could not ask about it: what is no text becomes another in JSON.
      if (!IsText(*user)) return Found(Credentials::Kind::kRejected);
      AddAuthenticatedGroup(*user);
      user->expires = certificate.front_proxy_until;
      Credentials credentials = Found(Credentials::Kind::kCertificate);
      credentials.identity = std::make_shared<const Identity>(*std::move(user));
      return credentials;
    }
  }
  if (certificate.kind == CertificateVerdict::Kind::kValid) {
    Credentials credentials = Found(Credentials::Kind::kCertificate);
    credentials.identity = certificate.identity;
    return credentials;
  }
  const std::string* const authorization = headers.First("Authorization");
  BearerToken bearer =
      authorization == nullptr ? BearerToken() : ParseAuthorization(*authorization);
  if (bearer.kind == BearerToken::Kind::kNone) bearer = ParseWebSocketToken(headers);
  switch (bearer.kind) {
    case BearerToken::Kind::kInvalid:
      return Found(Credentials::Kind::kRejected);
    case BearerToken::Kind::kToken: {
      Credentials credentials = Found(Credentials::Kind::kToken);
      credentials.token = std::move(bearer.token);
      return credentials;
    }
    case BearerToken::Kind::kNone:
      break;
  }
  // A certificate that does not verify is a failed attempt, not the absence of one.
  const bool attempted = certificate.kind == CertificateVerdict::Kind::kInvalid;
  return Found(attempted ? Credentials::Kind::kRejected : Credentials::Kind::kNone);
}

void AuthenticatorImpl::Authenticate(const CertificateVerdict& certificate,
                                     const http::HeaderList& headers, Executor& caller,
                                     ReviewClient& reviews,
                                     absl::AnyInvocable<void(AuthResult)> done) {
  Credentials credentials = Inspect(certificate, headers);
  switch (credentials.kind) {
    case Credentials::Kind::kNone:
      return done(Result(AuthResult::Kind::kAnonymous));
    case Credentials::Kind::kRejected:
      return done(Result(AuthResult::Kind::kRejected));
    case Credentials::Kind::kCertificate:
      return done(Authenticated(std::move(credentials.identity)));
    case Credentials::Kind::kToken:
      break;
  }
  std::string tag = tokens_.Tag(credentials.token);
  if (std::optional<IdentityRef> known = tokens_.Find(tag, caller.Now()); known.has_value()) {
    ProcessMetrics().token_cache_hits.Add();
    if (*known == nullptr) return done(Result(AuthResult::Kind::kRejected));
    return done(Authenticated(*std::move(known)));
  }
  ProcessMetrics().token_cache_misses.Add();
  AskUpstream(std::move(credentials.token), std::move(tag), caller, reviews, std::move(done));
}

void AuthenticatorImpl::AskUpstream(std::string token, std::string tag, Executor& caller,
                                    ReviewClient& reviews,
                                    absl::AnyInvocable<void(AuthResult)> done) {
  // Shared, so that it survives a refusal by Ask().
  auto shared = std::make_shared<absl::AnyInvocable<void(AuthResult)>>(std::move(done));
  ReviewFlights::Question question;
  question.key = tag;
  question.familiar = tokens_.Familiar(tag, caller.Now());
  question.path = kTokenReviewPath;
  question.body = [&token] { return TokenReviewBody(token); };
  question.judge = [this, tag = std::move(tag), expiry = TokenExpiry(token)](
                       const StatusOr<ReviewAnswer>& answer, TimePoint now) {
    return Judge(tag, expiry, answer, now);
  };
  const bool asked =
      flights_.Ask(std::move(question), caller, reviews, [shared](ReviewOutcome outcome) {
        switch (outcome.kind) {
          case ReviewOutcome::Kind::kPositive:
            return (*shared)(Authenticated(std::move(outcome.identity)));
          case ReviewOutcome::Kind::kNegative:
            return (*shared)(Result(AuthResult::Kind::kRejected));
          case ReviewOutcome::Kind::kUnavailable:
            return (*shared)(Result(AuthResult::Kind::kUnavailable));
        }
      });
  if (asked) return;
  ProcessMetrics().token_reviews[ReviewLabel::kOverloaded].Add();
  (*shared)(Result(AuthResult::Kind::kOverloaded));
}

ReviewOutcome AuthenticatorImpl::Judge(const std::string& tag, Expiry expiry,
                                       const StatusOr<ReviewAnswer>& answer, TimePoint now) {
  ReviewOutcome outcome;
  const StatusOr<std::string_view> body = ReviewBody(answer);
  StatusOr<TokenAnswer> verdict =
      body.ok() ? ParseTokenReview(*body) : StatusOr<TokenAnswer>(body.status());
  if (!verdict.ok()) {
    ProcessMetrics().token_reviews[ReviewLabel::kError].Add();
    log_.Failure(verdict.status());
    return outcome;
  }
  if (!verdict->authenticated) {
    ProcessMetrics().token_reviews[ReviewLabel::kNegative].Add();
    log_.Refusal(verdict->error);
    tokens_.PutNegative(tag, now);
    outcome.kind = ReviewOutcome::Kind::kNegative;
    return outcome;
  }
  ProcessMetrics().token_reviews[ReviewLabel::kPositive].Add();
  if (expiry.has_value()) verdict->identity.expires = *expiry + kExpiryLeeway;
  outcome.identity = std::make_shared<const Identity>(std::move(verdict->identity));
  tokens_.PutPositive(tag, outcome.identity, now, expiry, system_clock::now());
  outcome.kind = ReviewOutcome::Kind::kPositive;
  return outcome;
}

}  // namespace

StatusOr<std::unique_ptr<Authenticator>> Authenticator::Make(Options options) {
  Bundles bundles;
  WEIR_ASSIGN_OR_RETURN(bundles.client, ReadBundle(kClientCa, options.client_ca_file, 1));
  WEIR_ASSIGN_OR_RETURN(bundles.front_proxy,
                        ReadBundle(kFrontProxyCa, options.front_proxy_ca_file, 1));
  WEIR_TRY(CheckOverlap(bundles, options));
  return std::make_unique<AuthenticatorImpl>(std::move(options), std::move(bundles));
}

}  // namespace weir
