// A small request under Weir's own credential, and its whole answer.
#pragma once

#include <string>

#include "proxy/upstream/pool.h"

namespace weir {

struct OwnAnswer {
  int status = 0;    // HTTP, 200 or above.
  std::string body;  // At most 1 MiB.
};

// `body` is JSON, and empty for a GET. The request changes nothing upstream: it is asked again
// where a kept connection has died unseen, and of another API server where its own died meanwhile.
// Unavailable where none can be reached, DeadlineExceeded, ResourceExhausted for a longer answer.
// Thread-affine to the pool's worker.
Async<StatusOr<OwnAnswer>> AskAsSelf(UpstreamPool& pool, std::string method, std::string target,
                                     std::string body, TimePoint deadline);

}  // namespace weir
