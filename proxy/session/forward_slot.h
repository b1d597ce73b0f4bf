// A forwarded request's place among those that are in flight.
#pragma once

#include "proxy/admin/metrics.h"
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

  // Takes one of --max-requests-inflight; false: there is none, and the request is to be refused.
  // Not for long-running requests.
  bool Take() {
    limited_ = true;
    return shared_.forwards.fetch_add(1) < shared_.config.max_requests_inflight;
  }
  // The request has become something else: a tunnel.
  void Leave() {
    if (left_) return;
    left_ = true;
    ProcessMetrics().forwards_in_flight.Sub();
    if (limited_) shared_.forwards.fetch_sub(1);
  }

 private:
  ServiceShared& shared_;
  bool limited_ = false;
  bool left_ = false;
};

}  // namespace weir
