// Errors as kube-apiserver writes them: a metav1.Status (api-semantics 1.10).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/k8s/resource.h"

namespace weir {

struct ApiError {
  struct Cause {
    std::string reason, message, field;
  };
  struct Details {
    std::string name, group, kind;  // `kind` holds the plural resource, as upstream does.
    std::vector<Cause> causes;
    int retry_after_seconds = 0;
  };

  ApiError() = default;  // No aggregate: those must not be temporaries of a co_await (GCC 12).

  int code = 500;
  std::string reason;  // Omitted when empty.
  std::string message;
  bool has_details = false;  // `"details":{}` appears even when all of it is empty.
  Details details;
  std::string continue_token;  // metadata.continue of an expired list.
  bool without_type = false;   // No `kind` and `apiVersion`: only Timeout().

  // Compact Status with upstream's key order, without the final newline.
  std::string ToJson() const;

  static ApiError Unauthorized();
  static ApiError Forbidden(const ResourceId& id, std::string_view name, std::string message);
  static ApiError NotFound(const ResourceId& id, std::string_view name);
  static ApiError TooLargeResourceVersion(uint64_t wanted, uint64_t current);
  static ApiError WatchExpired(uint64_t wanted,
                               uint64_t oldest);             // "too old resource version: N (M)"
  static ApiError ListExpired();                             // An exact revision that is gone.
  static ApiError ContinueExpired(std::string fresh_token);  // May be empty: the shorter message.
  static ApiError TooManyRequests(std::string message, int retry_after_seconds);
  static ApiError ServiceUnavailable(std::string message, int retry_after_seconds);
  static ApiError NotImplemented(std::string message);
  static ApiError Timeout();  // A request's own deadline; see api-semantics 1.10 for its odd body.
  static ApiError BadGateway(std::string message);
};

}  // namespace weir
