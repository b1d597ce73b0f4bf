// Resources as kubectl lets people name them, with their version.
#pragma once

#include <optional>
#include <string_view>

#include "protocol/k8s/resource.h"

namespace weir {

// "pods" is v1 of the core group, "deployments.v1.apps" is v1 of apps (kubectl's
// resource.version.group). Nothing for any other form, "deployments.apps" among them: what does not
// name its version could change its meaning with an upgrade.
std::optional<ResourceId> ParseQualifiedName(std::string_view name);

}  // namespace weir
