// TokenReviews and SubjectAccessReviews over a worker's pool, with Weir's own credential.
#pragma once

#include <memory>

#include "proxy/auth/review_client.h"
#include "proxy/upstream/pool.h"

namespace weir {

// `pool` outlives it. Thread-affine to the pool's worker.
std::unique_ptr<ReviewClient> MakeHttpReviewClient(UpstreamPool& pool);

}  // namespace weir
