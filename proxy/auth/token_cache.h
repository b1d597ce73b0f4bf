// What upstream said of tokens, remembered for seconds (auth-and-forwarding A.6).
//
// Keys are HMAC tags: neither the token nor anything it could be made of again is kept. Verdicts
// against a token have a table of their own, so that a flood of bad tokens cannot evict the good.
// Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "protocol/base/mutex.h"
#include "proxy/auth/authenticator.h"
#include "proxy/auth/keyed_hash.h"
#include "proxy/auth/verdict_table.h"

namespace weir {

class TokenCache {
 public:
  explicit TokenCache(const Authenticator::Options& options);

  // HMAC-SHA256 over the length-prefixed token and the number of audiences, which is none.
  std::string Tag(std::string_view token) const;

  // Null inside: refused. Nothing: not known.
  std::optional<IdentityRef> Find(const std::string& tag, TimePoint now);
  // Remembers for the TTL, and no longer than `token_expires` in `wall_now`'s time.
  void PutPositive(const std::string& tag, IdentityRef identity, TimePoint now,
                   std::optional<std::chrono::system_clock::time_point> token_expires,
                   std::chrono::system_clock::time_point wall_now);
  void PutNegative(const std::string& tag, TimePoint now);
  // Whether upstream took the token within the last hour, and has not refused it since.
  bool Familiar(const std::string& tag, TimePoint now);

 private:
  const Hmac hmac_;
  const Duration ttl_;
  const Duration negative_ttl_;
  Mutex mutex_;
  VerdictTable<IdentityRef> positive_ ABSL_GUARDED_BY(mutex_);
  VerdictTable<char> negative_ ABSL_GUARDED_BY(mutex_);
  VerdictTable<char> familiar_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weir
