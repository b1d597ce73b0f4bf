// Decides whether a cached read is allowed: upstream's SubjectAccessReview, remembered for seconds.
//
// Thread-safe; one per process. Fails closed: no verdict, no answer. Destroy it after the workers
// have stopped.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "protocol/base/executor.h"
#include "proxy/auth/identity.h"
#include "proxy/auth/review_client.h"

namespace weir {

// Proof that `attributes` were allowed for `identity`. Only the authorizer makes one; every
// function that reads the cache for a client takes one, so that no path can forget to ask.
class Authorized {
 public:
  const Attributes& attributes() const { return attributes_; }
  const IdentityRef& identity() const { return identity_; }

 private:
  friend class Authorizer;
  Authorized(IdentityRef identity, Attributes attributes)
      : identity_(std::move(identity)), attributes_(std::move(attributes)) {}
  IdentityRef identity_;
  Attributes attributes_;
};

struct Verdict {
  enum class Kind : uint8_t {
    kAllowed,
    kDenied,       // 403; `reason` is SubjectAccessReview's, verbatim, often empty.
    kUnavailable,  // 503 with Retry-After: 1: upstream cannot be asked.
    kOverloaded,   // 429: too many reviews in flight.
  };
  Kind kind = Kind::kUnavailable;
  std::string reason;
  std::shared_ptr<const Authorized> authorized;  // With kAllowed.
};

class Authorizer {
 public:
  struct Options {
    Duration allow_ttl = std::chrono::seconds(10);
    Duration deny_ttl = std::chrono::seconds(10);
    Duration node_deny_ttl =
        std::chrono::seconds(1);  // system:node:*, whose graph may lag our cache.
    size_t max_entries = 131072;
    size_t max_entries_per_user = 16384;
    size_t max_in_flight = 256;
    size_t max_waiting = 20000;
  };

  static std::unique_ptr<Authorizer> Make(Options options);
  virtual ~Authorizer() = default;

  // Calls `done` on `caller`: at once, inside the call, when the verdict is remembered (or the user
  // is in system:masters, whom every API server allows), else after a review through `reviews`,
  // which belongs to the caller's worker. Equal questions in flight share one review.
  virtual void Authorize(IdentityRef identity, Attributes attributes, Executor& caller,
                         ReviewClient& reviews, absl::AnyInvocable<void(Verdict)> done) = 0;

 protected:
  // For implementations only.
  static std::shared_ptr<const Authorized> MakeAuthorized(IdentityRef identity,
                                                          Attributes attributes) {
    return std::shared_ptr<const Authorized>(
        new Authorized(std::move(identity), std::move(attributes)));
  }
};

// The message of the 403 (auth-and-forwarding B.6) without JSON escaping.
std::string ForbiddenMessage(const Identity& identity, const Attributes& attributes,
                             std::string_view reason);

}  // namespace weir
