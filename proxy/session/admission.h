// How much may be under way at once, in all and for one user: what comes on top is turned away with
// a 429, before it costs anything.
//
// As kube-apiserver without priority and fairness (its --max-requests-inflight), with what a proxy
// adds: reads that the cache answers are counted apart from what goes upstream, watches and bytes
// of lists have bounds too, and no user gets more than a share of each. Whoever is in
// system:masters is always served, and probes have room of their own.
//
// Thread-safe; one per process, and it outlives its tickets. Its table holds a user only while
// something of his is under way. Users are known by a keyed hash of their name or token: of two
// whose hashes collide each gets less.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "protocol/base/mutex.h"
#include "proxy/auth/authenticator.h"
#include "proxy/config/live_config.h"

namespace weir {

// GET, HEAD and OPTIONS: upstream's "readOnly".
inline bool ReadsOnly(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// Who is to have a share.
struct Caller {
  uint64_t key = 0;
  bool exempt = false;  // Of system:masters.

  static Caller Of(const Identity& identity);
  // Before anybody has looked at a token: whoever holds it. All anonymous ones are one.
  static Caller Of(const Credentials& credentials);
  // Of IPv6 the network of 64 bits: a host has as many addresses in it as it likes.
  static Caller OfAddress(const std::string& address);
};

class Admission {
 public:
  enum class Pool : uint8_t {
    kCached,             // GET and LIST from the cache: --max-cached-requests-inflight.
    kForwardedRead,      // --max-requests-inflight.
    kForwardedWrite,     // --max-mutating-requests-inflight.
    kWatch,              // From the cache: --max-watches.
    kForwardedStream,    // Watches, logs, exec …: --max-forwarded-streams.
    kProbe,              // /livez, /readyz, /healthz, forwarded: an address has a share.
    kUserConnection,     // With a client certificate: a share of --max-connections.
    kAddressConnection,  // --max-connections-per-address.
    kCount
  };
  static constexpr size_t kPools = static_cast<size_t>(Pool::kCount);

  // Room for one, until it ends. Movable; thread-affine.
  class Ticket {
   public:
    Ticket() = default;
    Ticket(Ticket&& other) noexcept { *this = std::move(other); }
    Ticket& operator=(Ticket&& other) noexcept {
      Leave();
      admission_ = std::exchange(other.admission_, nullptr);
      pool_ = other.pool_;
      caller_ = other.caller_;
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~Ticket() { Leave(); }

    // Room for an answer of that many bytes as well, of --max-bytes-inflight. An answer that is
    // larger than the bound is sent alone. False: there is none now.
    bool TakeBytes(uint64_t bytes);
    void Leave();

   private:
    friend class Admission;
    Ticket(Admission& admission, Pool pool, Caller caller)
        : admission_(&admission), pool_(pool), caller_(caller) {}

    Admission* admission_ = nullptr;  // Null: holds nothing.
    Pool pool_ = Pool::kCached;
    Caller caller_;
    uint64_t bytes_ = 0;
  };

  explicit Admission(const LiveConfig& config) : config_(config) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Nothing: the pool, or the caller's share of it, is full. Counted in the metrics.
  std::optional<Ticket> Enter(Pool pool, const Caller& caller);

  int64_t in_use(Pool pool) const { return in_use_[static_cast<size_t>(pool)].load(); }
  uint64_t bytes() const { return bytes_.load(); }
  // Without long-running ones.
  int64_t forwards() const {
    return in_use(Pool::kForwardedRead) + in_use(Pool::kForwardedWrite) + in_use(Pool::kProbe);
  }
  // Of users and addresses. For tests: it takes every lock.
  size_t callers() const;

 private:
  struct Share {
    std::array<int64_t, kPools> in_use{};
    uint64_t bytes = 0;
    bool empty() const;
  };
  struct Shard {
    mutable Mutex mutex;
    absl::flat_hash_map<uint64_t, Share> shares ABSL_GUARDED_BY(mutex);
  };
  struct Bounds {
    int64_t all, each;
  };

  Bounds BoundsOf(Pool pool) const;
  Shard& ShardOf(uint64_t key) { return shards_[key % shards_.size()]; }
  bool EnterShare(Pool pool, uint64_t key, int64_t most);
  bool TakeBytes(const Caller& caller, uint64_t bytes);
  void Leave(Pool pool, const Caller& caller, uint64_t bytes);

  const LiveConfig& config_;
  std::array<std::atomic<int64_t>, kPools> in_use_{};
  std::atomic<uint64_t> bytes_{0};
  std::array<Shard, 16> shards_;
};

}  // namespace weir
