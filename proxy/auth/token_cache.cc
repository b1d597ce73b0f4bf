#include "proxy/auth/token_cache.h"

#include <algorithm>

namespace weir {
namespace {

// Costs about as much memory as its texts; an identity beyond this is asked for each time.
constexpr size_t kMaxIdentityBytes = 65536;

constexpr Duration kFamiliar = std::chrono::hours(1);

size_t SizeOf(const Identity& identity) {
  size_t size = identity.name.size() + identity.uid.size();
  for (const std::string& group : identity.groups) size += group.size() + sizeof(std::string);
  for (const auto& [key, values] : identity.extra) {
    size += key.size() + 64;
    for (const std::string& value : values) size += value.size() + sizeof(std::string);
  }
  return size;
}

void AppendLength(uint64_t length, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>((length >> shift) & 0xff);
}

}  // namespace

TokenCache::TokenCache(const Authenticator::Options& options)
    : ttl_(options.token_ttl),
      negative_ttl_(options.token_negative_ttl),
      positive_(options.max_tokens, options.max_tokens),
      negative_(options.max_negative_tokens, options.max_negative_tokens),
      familiar_(options.max_tokens, options.max_tokens) {}

std::string TokenCache::Tag(std::string_view token) const {
  std::string message;
  message.reserve(token.size() + 16);
  AppendLength(token.size(), message);
  message += token;
  AppendLength(0, message);
  return hmac_(message);
}

std::optional<IdentityRef> TokenCache::Find(const std::string& tag, TimePoint now) {
  const MutexLock lock(mutex_);
  if (const IdentityRef* const identity = positive_.Find(tag, now)) return *identity;
  if (negative_.Find(tag, now) != nullptr) return IdentityRef();
  return std::nullopt;
}

void TokenCache::PutPositive(const std::string& tag, IdentityRef identity, TimePoint now,
                             std::optional<std::chrono::system_clock::time_point> token_expires,
                             std::chrono::system_clock::time_point wall_now) {
  Duration ttl = ttl_;
  if (token_expires.has_value()) {
    ttl = std::min(ttl, std::chrono::duration_cast<Duration>(*token_expires - wall_now));
  }
  const MutexLock lock(mutex_);
  familiar_.Put(tag, {}, 0, now + kFamiliar);
  if (ttl <= Duration(0) || SizeOf(*identity) > kMaxIdentityBytes) return;
  positive_.Put(tag, {}, std::move(identity), now + ttl);
}

void TokenCache::PutNegative(const std::string& tag, TimePoint now) {
  const MutexLock lock(mutex_);
  if (familiar_.Find(tag, now) != nullptr) familiar_.Put(tag, {}, 0, now);  // No longer.
  if (negative_ttl_ > Duration(0)) negative_.Put(tag, {}, 0, now + negative_ttl_);
}

bool TokenCache::Familiar(const std::string& tag, TimePoint now) {
  const MutexLock lock(mutex_);
  return familiar_.Find(tag, now) != nullptr;
}

}  // namespace weir
