// A forwarded request's place among those that are in flight, and its room among its kind
// (admission.h).
#pragma once

#include <string>
#include <utility>

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

  // False: there is no room, and the request is to be refused. `upgrades`: it may become a tunnel,
  // and has to have room as such from the start.
  bool Take(const http::RequestHead& request, bool long_running, bool upgrades,
            const Credentials& credentials, const std::string& address) {
    Caller caller = Caller::Of(credentials);
    if (long_running || upgrades) {
      auto stream = shared_.admission.Enter(Admission::Pool::kForwardedStream, caller);
      if (!stream.has_value()) return false;
      stream_ = *std::move(stream);
    }
    if (long_running) return true;
    const Admission::Pool pool = PoolOf(request);
    if (pool == Admission::Pool::kProbe) {
      // Whoever probes has no name, so all who have none must not be one.
      const bool exempt = std::exchange(caller, Caller::OfAddress(address)).exempt;
      caller.exempt = exempt;
    }
    auto ticket = shared_.admission.Enter(pool, caller);
    if (ticket.has_value()) ticket_ = *std::move(ticket);
    return ticket.has_value();
  }
  // The request has become a tunnel, which is a forwarded stream and no short request any more.
  void Leave() {
    if (left_) return;
    left_ = true;
    ProcessMetrics().forwards_in_flight.Sub();
    ticket_.Leave();
  }

 private:
  static Admission::Pool PoolOf(const http::RequestHead& request) {
    using Pool = Admission::Pool;
    const std::string_view path = request.path();
    if (path == "/livez" || path == "/readyz" || path == "/healthz") return Pool::kProbe;
    return ReadsOnly(request.method) ? Pool::kForwardedRead : Pool::kForwardedWrite;
  }

  ServiceShared& shared_;
  Admission::Ticket ticket_;
  Admission::Ticket stream_;
  bool left_ = false;
};

}  // namespace weir
