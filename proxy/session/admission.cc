#include "proxy/session/admission.h"

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <string>

#include "proxy/admin/metrics.h"
#include "proxy/auth/keyed_hash.h"

namespace weir {

namespace {

constexpr int64_t kUnbounded = std::numeric_limits<int64_t>::max();
constexpr int64_t kProbes = 100;
constexpr int64_t kProbesOfAnAddress = 20;

// `kind` keeps a token from passing for a user of that name.
uint64_t KeyOf(char kind, std::string_view name) {
  std::string text(1, kind);
  text += name;
  return KeyedHash()(text);
}

template <typename Number>
Number PercentOf(Number all, uint32_t percent) {
  return std::max<Number>(all / 100 * percent + all % 100 * percent / 100, 1);
}

static_assert(Metrics::kAdmissionPools == Admission::kPools);

Metrics& Counters() { return ProcessMetrics(); }

void CountRefusal(Admission::Pool pool, TerminationLabel why) {
  using Pool = Admission::Pool;
  if (pool == Pool::kUserConnection || pool == Pool::kAddressConnection) {
    Counters().connections_refused.Add();
  } else {
    Counters().terminations[why].Add();
  }
}

}  // namespace

Caller Caller::Of(const Identity& identity) {
  Caller caller;
  caller.key = KeyOf('u', identity.name);
  caller.exempt = std::find(identity.groups.begin(), identity.groups.end(), "system:masters") !=
                  identity.groups.end();
  return caller;
}

Caller Caller::Of(const Credentials& credentials) {
  if (credentials.identity != nullptr) return Of(*credentials.identity);
  Caller caller;
  caller.key = KeyOf('t', credentials.token);
  return caller;
}

Caller Caller::OfAddress(const std::string& address) {
  constexpr size_t kPrefixBytes = 8;
  Caller caller;
  in6_addr six{};
  const bool network = inet_pton(AF_INET6, address.c_str(), &six) == 1 &&
                       !IN6_IS_ADDR_V4MAPPED(&six) && !IN6_IS_ADDR_LOOPBACK(&six);
  const std::string_view prefix(reinterpret_cast<const char*>(six.s6_addr), kPrefixBytes);
  caller.key = network ? KeyOf('n', prefix) : KeyOf('a', address);
  return caller;
}

Admission::Bounds Admission::BoundsOf(Pool pool) const {
  const uint32_t percent = config_->max_share_per_user;
  const auto shared = [percent](int64_t all) {
    return Bounds{all, percent >= 100 ? kUnbounded : PercentOf<int64_t>(all, percent)};
  };
  switch (pool) {
    case Pool::kCached:
      return shared(config_->max_cached_requests_inflight);
    case Pool::kForwardedRead:
      return shared(config_->max_requests_inflight);
    case Pool::kForwardedWrite:
      return shared(config_->max_mutating_requests_inflight);
    case Pool::kWatch:
      return shared(config_->max_watches);
    case Pool::kForwardedStream:
      return shared(config_->max_forwarded_streams);
    case Pool::kProbe:
      return {kProbes, kProbesOfAnAddress};
    case Pool::kUserConnection:
      return {kUnbounded, shared(config_->max_connections).each};
    case Pool::kAddressConnection: {
      const int64_t each = config_->max_connections_per_address;
      return {kUnbounded, each > 0 ? each : kUnbounded};
    }
    case Pool::kCount:
      break;
  }
  return {kUnbounded, kUnbounded};
}

bool Admission::Share::empty() const {
  return bytes == 0 && std::all_of(in_use.begin(), in_use.end(), [](int64_t n) { return n == 0; });
}

bool Admission::EnterShare(Pool pool, uint64_t key, int64_t most) {
  Shard& shard = ShardOf(key);
  const MutexLock lock(shard.mutex);
  Share& share = shard.shares[key];
  int64_t& mine = share.in_use[static_cast<size_t>(pool)];
  const bool room = mine < most;
  if (room) ++mine;
  if (share.empty()) shard.shares.erase(key);
  return room;
}

std::optional<Admission::Ticket> Admission::Enter(Pool pool, const Caller& caller) {
  const Bounds bounds = BoundsOf(pool);
  std::atomic<int64_t>& all = in_use_[static_cast<size_t>(pool)];
  if (all.fetch_add(1) >= bounds.all && !caller.exempt) {
    all.fetch_sub(1);
    CountRefusal(pool, TerminationLabel::kFull);
    return std::nullopt;
  }
  if (!EnterShare(pool, caller.key, caller.exempt ? kUnbounded : bounds.each)) {
    all.fetch_sub(1);
    CountRefusal(pool, TerminationLabel::kShare);
    return std::nullopt;
  }
  Counters().admitted[static_cast<size_t>(pool)].Add();
  return Ticket(*this, pool, caller);
}

bool Admission::TakeBytes(const Caller& caller, uint64_t bytes) {
  const uint64_t all = config_->max_bytes_inflight;
  const uint32_t percent = config_->max_share_per_user;
  const uint64_t each = percent >= 100 ? all : PercentOf<uint64_t>(all, percent);
  const uint64_t before = bytes_.fetch_add(bytes);
  bool room = caller.exempt || before == 0 || before + bytes <= all;
  if (room) {
    Shard& shard = ShardOf(caller.key);
    const MutexLock lock(shard.mutex);
    Share& share = shard.shares[caller.key];
    room = caller.exempt || share.bytes == 0 || share.bytes + bytes <= each;
    if (room) share.bytes += bytes;
  }
  if (!room) {
    bytes_.fetch_sub(bytes);
    Counters().terminations[TerminationLabel::kBytes].Add();
    return false;
  }
  Counters().admitted_bytes.Add(static_cast<int64_t>(bytes));
  return true;
}

void Admission::Leave(Pool pool, const Caller& caller, uint64_t bytes) {
  in_use_[static_cast<size_t>(pool)].fetch_sub(1);
  bytes_.fetch_sub(bytes);
  Counters().admitted[static_cast<size_t>(pool)].Sub();
  Counters().admitted_bytes.Sub(static_cast<int64_t>(bytes));
  Shard& shard = ShardOf(caller.key);
  const MutexLock lock(shard.mutex);
  const auto found = shard.shares.find(caller.key);
  --found->second.in_use[static_cast<size_t>(pool)];
  found->second.bytes -= bytes;
  if (found->second.empty()) shard.shares.erase(found);
}

size_t Admission::callers() const {
  size_t count = 0;
  for (const Shard& shard : shards_) {
    const MutexLock lock(shard.mutex);
    count += shard.shares.size();
  }
  return count;
}

bool Admission::Ticket::TakeBytes(uint64_t bytes) {
  if (admission_ == nullptr || !admission_->TakeBytes(caller_, bytes)) return false;
  bytes_ += bytes;
  return true;
}

void Admission::Ticket::Leave() {
  if (admission_ != nullptr) std::exchange(admission_, nullptr)->Leave(pool_, caller_, bytes_);
  bytes_ = 0;
}

}  // namespace weir
