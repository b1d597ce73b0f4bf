// Asks each API server four times a second whether it is ready, where there are several: one that
// falls silent is left within a second, one that shuts down gets no new requests.
#pragma once

#include <memory>

#include "proxy/net/worker.h"
#include "proxy/upstream/upstream.h"

namespace weir {

// GET /readyz under Weir's own credential. Runs until the worker ends; nothing where there is one
// API server.
void StartHealthChecks(Worker& worker, const std::shared_ptr<Upstream>& upstream);

}  // namespace weir
