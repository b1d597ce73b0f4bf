// Protobuf request bodies of the few kinds that Go clients write by default in that form, as JSON
// trees.
//
// The simulator answers in JSON only, which those clients accept; what they send they do not ask
// about.
#pragma once

#include <string_view>

#include "bench/sim/json_value.h"
#include "protocol/base/status.h"

namespace weir::sim {

// `bytes` is an envelope ("k8s\0" and runtime.Unknown; api-semantics 5.4). Understood: ConfigMap,
// Secret, Namespace, ServiceAccount, Lease, the reviews, and DeleteOptions; fields of theirs that
// the simulator has no use for are left out, as are zero values. InvalidArgument: not an envelope,
// not well-formed, or another kind.
StatusOr<Json> ParseProtobufBody(std::string_view bytes);

}  // namespace weir::sim
