// A worker's connections for forwarded requests and reviews, kept apart by credential class.
//
// Thread-affine. Bounds: kMaxIdle idle connections per class, for at most a minute; how many are in
// use is bounded by whoever asks (--max-requests-inflight and its like, --max-forwarded-streams,
// --max-reviews-inflight).
#pragma once

#include <deque>
#include <memory>

#include "proxy/upstream/upstream.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

class UpstreamPool {
 public:
  static constexpr size_t kMaxIdle = 64;

  UpstreamPool(Worker& worker, std::shared_ptr<Upstream> upstream);
  ~UpstreamPool();

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
  void Sweep();

  Worker& worker_;
  const std::shared_ptr<Upstream> upstream_;
  std::deque<std::unique_ptr<UpstreamConnection>> idle_[kCredentialClasses];  // Newest last.
  Executor::TimerId sweep_ = 0;
  bool closed_ = false;
};

}  // namespace weir
