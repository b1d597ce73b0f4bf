// Requests that upstream answers: streamed both ways, as they are (auth-and-forwarding C).
#pragma once

#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

// Forwards the request under the client's own identity and relays the answer. Answers itself where
// that cannot be: 401, 501 (a certificate user without a front-proxy certificate here), 429 at
// --max-requests-inflight, 502 and 503 where upstream does not answer. An upgrade that upstream
// agrees to is carried to its end.
Async<void> ForwardRequest(Service& service, Exchange& exchange);

}  // namespace weir
