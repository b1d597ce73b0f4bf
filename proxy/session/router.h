// Decides for each request: answered from the cache, or forwarded (auth-and-forwarding 0.2).
#pragma once

#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

// Answers one request. Never throws, always answers or cuts the exchange.
Async<void> HandleRequest(Service& service, Exchange& exchange);

}  // namespace weir
