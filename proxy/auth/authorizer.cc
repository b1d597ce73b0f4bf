#include "proxy/auth/authorizer.h"

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "protocol/base/mutex.h"
#include "proxy/admin/metrics.h"
#include "proxy/auth/access_key.h"
#include "proxy/auth/review_answer.h"
#include "proxy/auth/review_flights.h"
#include "proxy/auth/review_log.h"
#include "proxy/auth/verdict_table.h"

namespace weir {
namespace {

// As upstream: questions whose attributes are longer are not remembered, nor are longer reasons.
constexpr size_t kMaxAttributeBytes = 10000;
constexpr size_t kMaxReasonBytes = 4096;

bool IsMaster(const Identity& identity) {
  return std::find(identity.groups.begin(), identity.groups.end(), "system:masters") !=
         identity.groups.end();
}

struct Remembered {
  bool allowed = false;
  std::string reason;
};

class AuthorizerImpl final : public Authorizer {
 public:
  explicit AuthorizerImpl(const Options& options)
      : options_(options),
        verdicts_(options.max_entries, options.max_entries_per_user),
        flights_({.max_in_flight = options.max_in_flight,
                  .max_waiting = options.max_waiting,
                  .max_questions_each = std::max<size_t>(options.max_waiting / 4, 1)}) {}

  void Authorize(IdentityRef identity, Attributes attributes, Executor& caller,
                 ReviewClient& reviews, absl::AnyInvocable<void(Verdict)> done) override;

 private:
  // One request's question until it is answered.
  struct Pending {
    IdentityRef identity;
    Attributes attributes;
    absl::AnyInvocable<void(Verdict)> done;

    void Finish(Verdict::Kind kind, std::string reason);
  };

  std::optional<Remembered> Find(const std::string& key, TimePoint now);
  void AskUpstream(std::string key, const std::shared_ptr<Pending>& pending, Executor& caller,
                   ReviewClient& reviews);
  ReviewOutcome Judge(const std::string& key, const std::string& user, bool remember,
                      const StatusOr<ReviewAnswer>& answer, TimePoint now);
  void Remember(const std::string& key, const std::string& user, const ReviewOutcome& outcome,
                TimePoint now);

  const Options options_;
  Mutex mutex_;
  VerdictTable<Remembered> verdicts_ ABSL_GUARDED_BY(mutex_);
  ReviewLog log_{"SubjectAccessReview"};
  ReviewFlights flights_;
};

void AuthorizerImpl::Pending::Finish(Verdict::Kind kind, std::string reason) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.reason = std::move(reason);
  if (kind == Verdict::Kind::kAllowed) {
    verdict.authorized = MakeAuthorized(std::move(identity), std::move(attributes));
  }
  done(std::move(verdict));
}

void AuthorizerImpl::Authorize(IdentityRef identity, Attributes attributes, Executor& caller,
                               ReviewClient& reviews, absl::AnyInvocable<void(Verdict)> done) {
  auto pending = std::make_shared<Pending>();
  pending->identity = std::move(identity);
  pending->attributes = std::move(attributes);
  pending->done = std::move(done);
  // Before every authorizer of every API server, whatever its configuration.
  if (IsMaster(*pending->identity)) return pending->Finish(Verdict::Kind::kAllowed, {});

  std::string key = AccessKey(*pending->identity, pending->attributes);
  if (std::optional<Remembered> known = Find(key, caller.Now()); known.has_value()) {
    ProcessMetrics().access_cache_hits.Add();
    const auto kind = known->allowed ? Verdict::Kind::kAllowed : Verdict::Kind::kDenied;
    return pending->Finish(kind, std::move(known->reason));
  }
  ProcessMetrics().access_cache_misses.Add();
  AskUpstream(std::move(key), pending, caller, reviews);
}

std::optional<Remembered> AuthorizerImpl::Find(const std::string& key, TimePoint now) {
  const MutexLock lock(mutex_);
  const Remembered* const found = verdicts_.Find(key, now);
  return found == nullptr ? std::nullopt : std::optional<Remembered>(*found);
}

void AuthorizerImpl::AskUpstream(std::string key, const std::shared_ptr<Pending>& pending,
                                 Executor& caller, ReviewClient& reviews) {
  const bool remember = AttributeBytes(pending->attributes) < kMaxAttributeBytes;
  ReviewFlights::Question question;
  question.key = key;
  question.owner = pending->identity->name;
  question.path = kAccessReviewPath;
  question.body = [pending] { return AccessReviewBody(*pending->identity, pending->attributes); };
  question.judge = [this, key = std::move(key), user = pending->identity->name, remember](
                       const StatusOr<ReviewAnswer>& answer, TimePoint now) {
    return Judge(key, user, remember, answer, now);
  };
  const bool asked =
      flights_.Ask(std::move(question), caller, reviews, [pending](ReviewOutcome outcome) {
        switch (outcome.kind) {
          case ReviewOutcome::Kind::kPositive:
            return pending->Finish(Verdict::Kind::kAllowed, {});
          case ReviewOutcome::Kind::kNegative:
            return pending->Finish(Verdict::Kind::kDenied, std::move(outcome.reason));
          case ReviewOutcome::Kind::kUnavailable:
            return pending->Finish(Verdict::Kind::kUnavailable, {});
        }
      });
  if (asked) return;
  ProcessMetrics().access_reviews[ReviewLabel::kOverloaded].Add();
  pending->Finish(Verdict::Kind::kOverloaded, {});
}

ReviewOutcome AuthorizerImpl::Judge(const std::string& key, const std::string& user, bool remember,
                                    const StatusOr<ReviewAnswer>& answer, TimePoint now) {
  ReviewOutcome outcome;
  const StatusOr<std::string_view> body = ReviewBody(answer);
  StatusOr<AccessAnswer> verdict =
      body.ok() ? ParseAccessReview(*body) : StatusOr<AccessAnswer>(body.status());
  if (!verdict.ok()) {
    ProcessMetrics().access_reviews[ReviewLabel::kError].Add();
    log_.Failure(verdict.status());
    return outcome;
  }
  outcome.kind = verdict->allowed ? ReviewOutcome::Kind::kPositive : ReviewOutcome::Kind::kNegative;
  if (!verdict->allowed) outcome.reason = std::move(verdict->reason);
  ProcessMetrics()
      .access_reviews[verdict->allowed ? ReviewLabel::kPositive : ReviewLabel::kNegative]
      .Add();
  if (remember) Remember(key, user, outcome, now);
  return outcome;
}

void AuthorizerImpl::Remember(const std::string& key, const std::string& user,
                              const ReviewOutcome& outcome, TimePoint now) {
  const bool allowed = outcome.kind == ReviewOutcome::Kind::kPositive;
  Duration ttl = allowed ? options_.allow_ttl : options_.deny_ttl;
  // Upstream's node graph may lag the pod that our cache already showed to the kubelet.
  if (!allowed && user.starts_with("system:node:")) ttl = std::min(ttl, options_.node_deny_ttl);
  if (ttl <= Duration(0) || outcome.reason.size() > kMaxReasonBytes) return;
  const MutexLock lock(mutex_);
  verdicts_.Put(key, user, {.allowed = allowed, .reason = outcome.reason}, now + ttl);
}

}  // namespace

std::unique_ptr<Authorizer> Authorizer::Make(Options options) {
  return std::make_unique<AuthorizerImpl>(options);
}

}  // namespace weir
