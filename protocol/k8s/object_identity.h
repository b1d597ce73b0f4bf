// What every object must have to be kept under a key and a revision, in any encoding.
#pragma once

#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/resource.h"

namespace weir {

// InvalidArgument: no name, or a slash in the name or namespace. Keys are "namespace/name": a slash
// would let two objects have one key.
Status CheckObjectNames(std::string_view namespace_, std::string_view name);

// metadata.resourceVersion. InvalidArgument: no decimal number above 0 as upstream writes it.
StatusOr<Revision> ParseRevision(std::string_view digits);

}  // namespace weir
