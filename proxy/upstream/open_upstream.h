// Connections to the API server until it is known what they speak.
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/base/status.h"
#include "proxy/net/stream.h"
#include "proxy/upstream/upstream.h"

namespace weir {

struct OpenedUpstream {
  std::unique_ptr<Stream> stream;
  uint64_t generation = 0;  // Of the credentials it was made with.
  bool http2 = false;       // Else HTTP/1.1.
};

// Dials `endpoint` and shakes hands. Unavailable says which address and why. `offer_http2`: the API
// server may choose it.
Async<StatusOr<OpenedUpstream>> OpenUpstream(Worker& worker, Upstream& upstream,
                                             CredentialClass credential, size_t endpoint,
                                             bool offer_http2, TimePoint deadline);

}  // namespace weir
