// The process's counters. Whoever does the thing bumps the counter; the admin port prints them.
//
// Header only, so that every layer of proxy/ may count without linking the admin server.
// Thread-safe: relaxed atomics, exact in the end, not a snapshot. Names and labels are in
// metrics.cc.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

class Counter {
 public:
  void Add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void Add(int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  void Sub(int64_t n = 1) { value_.fetch_sub(n, std::memory_order_relaxed); }
  void Set(int64_t n) { value_.store(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// Seconds, in kube-apiserver's buckets for requests.
class DurationHistogram {
 public:
  static constexpr std::array<double, 23> kBounds = {
      .005, .025, .05, .1, .2, .4, .6, .8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60};
  void Observe(std::chrono::nanoseconds duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    size_t bucket = 0;
    while (bucket < kBounds.size() && seconds > kBounds[bucket]) ++bucket;
    counts_[bucket].Add();
    nanoseconds_.Add(duration.count() > 0 ? static_cast<uint64_t>(duration.count()) : 0);
  }
  uint64_t count(size_t bucket) const {
    return counts_[bucket].value();
  }  // Not cumulative; the last: over all.
  double sum() const { return static_cast<double>(nanoseconds_.value()) / 1e9; }

 private:
  std::array<Counter, kBounds.size() + 1> counts_;
  Counter nanoseconds_;
};

// The `verb` label: a read's verb, else the method.
enum class VerbLabel : uint8_t {
  kGet,
  kList,
  kWatch,
  kPost,
  kPut,
  kPatch,
  kDelete,
  kOther,
  kCount
};
// Who made the answer: the cache, upstream, or Weir itself (an error, a 401, a 429 …).
enum class SourceLabel : uint8_t { kCache, kForward, kLocal, kCount };
// Kinds of TokenReview and SubjectAccessReview outcomes.
enum class ReviewLabel : uint8_t { kPositive, kNegative, kError, kOverloaded, kCount };

// Why a request was turned away with a 429 (session/admission.h).
enum class TerminationLabel : uint8_t {
  kFull,   // As many as there may be were under way.
  kShare,  // As many as one user may have.
  kBytes,  // Of lists.
  kCount
};

// How a tunnel ended (net/tunnel.h).
enum class TunnelEnd : uint8_t {
  kClosed,  // Both sides said that they are through, or one did and the other takes no more.
  kBroken,  // A side broke off: the other sees that as well.
  kIdle,    // No byte for the idle time.
  kCount
};

// An array with an enum class as index.
template <typename Enum, typename T, size_t kSize = static_cast<size_t>(Enum::kCount)>
struct ByLabel {
  std::array<T, kSize> items;
  T& operator[](Enum e) { return items[static_cast<size_t>(e)]; }
  const T& operator[](Enum e) const { return items[static_cast<size_t>(e)]; }
};

// Counters per HTTP status.
class ByCode {
 public:
  static constexpr std::array<int, 25> kCodes = {101, 200, 201, 202, 204, 301, 302, 304, 400,
                                                 401, 403, 404, 405, 406, 409, 410, 413, 415,
                                                 422, 429, 500, 501, 502, 503, 504};
  Counter& operator[](int status) {
    size_t i = 0;
    while (i < kCodes.size() && kCodes[i] != status) ++i;
    return counters_[i];
  }
  const Counter& at(size_t index) const { return counters_[index]; }  // kCodes.size(): all others.

 private:
  std::array<Counter, kCodes.size() + 1> counters_;
};

struct Metrics {
  // Requests, counted when they end (watches: when the head is sent).
  ByLabel<VerbLabel, ByLabel<SourceLabel, ByCode>> requests;
  ByLabel<VerbLabel, ByLabel<SourceLabel, DurationHistogram>> request_duration;  // Not of watches.
  std::array<Counter, 16> forwarded;  // By ForwardReason (protocol/k8s/read_request.h).
  Gauge requests_in_flight;           // All but watches and upgrades.
  Gauge mutating_in_flight;           // Those of them that are not GET, HEAD or OPTIONS.
  Gauge forwards_in_flight;

  // Admission. By Admission::Pool (session/admission.h).
  static constexpr size_t kAdmissionPools = 8;
  std::array<Gauge, kAdmissionPools> admitted;
  Gauge admitted_bytes;
  ByLabel<TerminationLabel, Counter> terminations;

  // Watches served from the cache. The first two are the hot ones: add once per write, not per
  // event.
  alignas(64) Counter watch_events;
  Counter watch_bytes;
  alignas(64) Gauge open_watches;
  Counter watches_expired;            // Ended with 410 because the log had moved on.
  Counter watches_reauth_terminated;  // Ended because the client's right has.
  Counter list_bytes;                 // Bodies of LISTs from the cache, as sent.

  // Upgrades that upstream agreed to: exec, attach, port-forward, watches over WebSocket.
  Gauge open_tunnels;
  Counter tunnel_bytes_up, tunnel_bytes_down;
  ByLabel<TunnelEnd, Counter> tunnel_ends;

  // Connections of clients.
  Gauge connections;
  Counter connections_accepted;
  Counter connections_refused;  // At --max-connections, or at what one user or address may have.
  Counter tls_handshakes;
  Counter tls_handshake_errors;
  Gauge tls_handshakes_in_flight;  // Those that wait for their turn included.
  Counter tls_handshakes_shed;     // Cut, or not begun, because there were too many.
  Gauge unsent_bytes;              // Sealed for peers that do not take them at once.
  Counter bad_requests;            // Refused by the HTTP parser.
  Gauge http2_connections;         // Of `connections`, those that speak HTTP/2.
  Gauge http2_taking;              // Of these, those that take new streams.
  Gauge http2_streams;             // Open on them.
  Counter http2_goaways;           // Told to come back on another connection.
  Counter http2_floods;            // Ended because the client asked too much (http2_guard.h).

  // Replicas (rebalance/rebalancer.h).
  Counter rebalance_goaways;  // Of `http2_goaways`, those that were sent to spread clients.
  Gauge rebalance_peers;      // Counted at the last look.

  // Authentication and authorisation.
  ByLabel<ReviewLabel, Counter> token_reviews;  // Answers of upstream.
  ByLabel<ReviewLabel, Counter> access_reviews;
  Counter token_cache_hits, token_cache_misses;
  Counter certificate_cache_hits, certificate_cache_misses;
  Counter access_cache_hits, access_cache_misses;

  // Requests to upstream.
  Counter upstream_lists, upstream_watches, upstream_probes, upstream_reviews, upstream_forwards;
  Counter upstream_failures;  // No answer: dial, TLS, a broken connection.
  Gauge upstream_connections;
  Gauge upstream_http2_connections;  // Of them, those that speak HTTP/2.
  Gauge upstream_http2_streams;      // Open on them.
  Counter upstream_http2_goaways;    // Connections that the API server wanted replaced.
  Counter upstream_http2_refused;    // Streams that it did not look at.
};

// The one of this process.
inline Metrics& ProcessMetrics() {
  static Metrics metrics;
  return metrics;
}

// The label of a method that is no read of the cache.
inline VerbLabel VerbOfMethod(std::string_view method) {
  if (method == "GET") return VerbLabel::kGet;
  if (method == "POST") return VerbLabel::kPost;
  if (method == "PUT") return VerbLabel::kPut;
  if (method == "PATCH") return VerbLabel::kPatch;
  if (method == "DELETE") return VerbLabel::kDelete;
  return VerbLabel::kOther;
}

}  // namespace weir
