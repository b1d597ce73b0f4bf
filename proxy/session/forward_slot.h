// A forwarded request's place among those that are in flight, and its room among its kind
// (admission.h).
#pragma once

#include "protocol/http/message.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/admission.h"
#include "proxy/session/service.h"

namespace weir {

// Thread-affine; counts from its making to Leave(), or its end. The shared part outlives it.
class ForwardSlot {
 public:
  explicit ForwardSlot(ServiceShared& shared) : shared_(shared) {
    ProcessMetrics().forwards_in_flight.Add();
  }
  ~ForwardSlot() { Leave(); }
  ForwardSlot(const ForwardSlot&) = delete;
  ForwardSlot& operator=(const ForwardSlot&) = delete;

  // False: there is no room, and the request is to be refused.
  bool Take(const http::RequestHead& request, bool long_running, const Credentials& credentials,
            const std::string& address) {
    pool_ = PoolOf(request, long_running);
    // Whoever probes has no name, so all who have none must not be one.
    const Caller caller =
        pool_ == Admission::Pool::kProbe ? Caller::OfAddress(address) : Caller::Of(credentials);
    std::optional<Admission::Ticket> ticket = shared_.admission.Enter(pool_, caller);
    if (ticket.has_value()) ticket_ = *std::move(ticket);
    return ticket.has_value();
  }
  // The request has become something else: a tunnel, which stays one of the long-running ones.
  void Leave() {
    if (left_) return;
    left_ = true;
    ProcessMetrics().forwards_in_flight.Sub();
    if (pool_ != Admission::Pool::kForwardedStream) ticket_.Leave();
  }

 private:
  static Admission::Pool PoolOf(const http::RequestHead& request, bool long_running) {
    using Pool = Admission::Pool;
    if (long_running) return Pool::kForwardedStream;
    const std::string_view path = request.path();
    if (path == "/livez" || path == "/readyz" || path == "/healthz") return Pool::kProbe;
    return ReadsOnly(request.method) ? Pool::kForwardedRead : Pool::kForwardedWrite;
  }

  ServiceShared& shared_;
  Admission::Ticket ticket_;
  Admission::Pool pool_ = Admission::Pool::kForwardedRead;
  bool left_ = false;
};

}  // namespace weir
