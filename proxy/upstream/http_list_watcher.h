// The feeds' way to the API server: cache/list_watcher.h over HTTPS, with Weir's own credential.
//
// Thread-affine. Each running request has a connection of its own; one idle connection is kept for
// the next, so that no flood of forwarded requests can hold up a feed.
#pragma once

#include <memory>

#include "cache/list_watcher.h"
#include "proxy/net/worker.h"
#include "proxy/upstream/upstream.h"

namespace weir {

std::unique_ptr<ListWatcher> MakeHttpListWatcher(Worker& worker,
                                                 std::shared_ptr<Upstream> upstream);

}  // namespace weir
