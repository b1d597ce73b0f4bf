// A read that the cache may answer, and what goes with it on its way.
#pragma once

#include <memory>

#include "cache/replica.h"
#include "protocol/k8s/read_request.h"
#include "proxy/auth/authorizer.h"
#include "proxy/session/admission.h"
#include "proxy/session/request_record.h"

namespace weir {

struct CachedRead {
  const ReadRequest& request;
  std::shared_ptr<const Authorized> authorized;  // Made for exactly that request.
  std::shared_ptr<Replica> replica;
  Admission::Ticket ticket;  // Its room among the requests in flight; of a LIST also its bytes'.
  RequestRecord& record;
  TimePoint asked;
};

}  // namespace weir
