// A worker's connections for forwarded requests and reviews, kept apart by credential class.
//
// Thread-affine. Bounds: kMaxIdle idle connections of HTTP/1.1 per class, for at most a minute; how
// many are in use is bounded by whoever asks (--max-requests-inflight and its like,
// --max-forwarded-streams, --max-reviews-inflight); of HTTP/2, http2_pool.h.
#pragma once

#include <deque>
#include <memory>

#include "proxy/upstream/http2_pool.h"
#include "proxy/upstream/upstream.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class UpstreamPool {
 public:
  static constexpr size_t kMaxIdle = 64;

  UpstreamPool(Worker& worker, std::shared_ptr<Upstream> upstream,
               const Http2Pool::Options& http2 = {});
  ~UpstreamPool();

  // What a client's request needs.
  struct Wanted {
    CredentialClass credential = CredentialClass::kNone;
    bool http2 = false;             // As the client's; where the API server speaks it.
    uint64_t bearer = 0;            // ProvenTokens::KeyOf() its Authorization; 0: it has none.
    TimePoint since = TimePoint();  // No connection that is older.
    bool alone = false;             // One that nobody else gets before it is over.
  };
  // A place on a connection: another's beside it where that speaks HTTP/2, else an idle one or a
  // new one. As Acquire() for the rest.
  Async<StatusOr<std::unique_ptr<UpstreamExchange>>> Begin(Wanted wanted);
  // It is over: keeps what can be used again.
  void Finish(std::unique_ptr<UpstreamExchange> exchange);

  // An idle connection that is still alive, or a new one; `fresh`: a new one. Tries each endpoint
  // once, in the order that Endpoints says. Unavailable: none could be reached.
  Async<StatusOr<std::unique_ptr<UpstreamConnection>>> Acquire(CredentialClass credential,
                                                               bool fresh);
  // Keeps the connection for the next request, where it can be used again.
  void Release(std::unique_ptr<UpstreamConnection> connection);

  // Closes the idle connections, keeps no more, and stops the timer: before the worker dies.
  void Close();

  Upstream& upstream() { return *upstream_; }
  Worker& worker() { return worker_; }

 private:
  std::unique_ptr<UpstreamConnection> TakeIdle(CredentialClass credential, size_t endpoint);
  Duration ConnectTimeout() const;
  Async<StatusOr<std::unique_ptr<UpstreamConnection>>> AcquireAt(size_t endpoint,
                                                                 CredentialClass credential,
                                                                 bool fresh,
                                                                 Endpoints::Request busy);
  void Sweep();

  Worker& worker_;
  const std::shared_ptr<Upstream> upstream_;
  std::deque<std::unique_ptr<UpstreamConnection>> idle_[kCredentialClasses];  // Newest last.
  Http2Pool http2_;
  Executor::TimerId sweep_ = 0;
  bool closed_ = false;
};

}  // namespace weir
