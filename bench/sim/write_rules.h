// What a kube-apiserver does to an object before it stores it, and the errors of writes.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "bench/sim/json_value.h"
#include "bench/sim/types.h"
#include "protocol/k8s/api_error.h"

namespace weir::sim {

// Where and by whom an object is written.
struct WriteContext {
  const TypeSpec& spec;
  std::string namespace_;  // Of the URL.
  std::string manager;     // For managedFields: the User-Agent up to its first slash.
  std::string now;         // RFC 3339.
};

// Fills in what the server owns (uid, times, generation, managedFields, first status). `uid` is a
// fresh one, `suffix` ends a generated name. The error is a 400 or 422.
std::variant<Json, ApiError> PrepareNew(const WriteContext& context, Json object,
                                        std::string_view uid, std::string_view suffix);

// The object that replaces `old`: identity kept, `status` and the rest of it written by separate
// paths where the type has the subresource. The error is a 409 when `next` names another
// resourceVersion.
std::variant<Json, ApiError> PrepareUpdate(const WriteContext& context, const Json& old, Json next,
                                           std::string_view subresource);

// The body of a write or review: JSON, or protobuf of the kinds in proto_body.h. The error is a 400
// or 415.
std::variant<Json, ApiError> ParseBody(std::string_view content_type, std::string_view body);

ApiError AlreadyExists(const ResourceId& id, std::string_view name);
ApiError Conflict(const ResourceId& id, std::string_view name, std::string_view why);
ApiError UnsupportedMediaType(std::string_view accepted);

}  // namespace weir::sim
