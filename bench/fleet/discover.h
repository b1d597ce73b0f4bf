// Names of real objects, for watchers to ask for.
#pragma once

#include "bench/fleet/watch_plan.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir::fleet {

// At most 10,000 nodes and 50 config maps. Without any node, names that no cluster has. Errors: the
// endpoint cannot be reached, or refuses.
Async<StatusOr<ClusterNames>> DiscoverNames(Worker& worker, Upstream& upstream);

}  // namespace weir::fleet
