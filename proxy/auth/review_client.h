// How authentication and authorisation ask upstream: small JSON POSTs with Weir's own credential.
#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "protocol/base/status.h"

namespace weir {

struct ReviewAnswer {
  int status = 0;    // HTTP.
  std::string body;  // At most 1 MiB.
};

// One per worker; thread-affine.
class ReviewClient {
 public:
  virtual ~ReviewClient() = default;
  // Posts `body` (application/json) to `path`; `done` comes later on the same executor, with
  // DeadlineExceeded after ten seconds, Unavailable where the API server cannot be reached.
  virtual void Post(std::string path, std::string body,
                    absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done) = 0;
};

}  // namespace weir
