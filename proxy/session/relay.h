// Upstream's answers on their way to the client, and what the client hears where there is none.
#pragma once

#include "protocol/base/status.h"
#include "proxy/session/exchange.h"
#include "proxy/upstream/upstream_exchange.h"

namespace weir {

// How long upstream may take for its next step: its own 60 s, and a margin.
inline constexpr Duration kAnswerTimeout = std::chrono::seconds(70);

// Relays the answer that `head` begins, piece by piece as it comes. False where it broke off after
// it had begun: the caller aborts both sides. `long_running`: upstream may be silent for ever.
Async<bool> RelayAnswer(Exchange& exchange, UpstreamExchange& upstream, http::ResponseHead head,
                        bool long_running);

enum class Sent : uint8_t {
  kNothing,       // Or nothing that matters if it comes twice.
  kMayHaveActed,  // At least a part of something that may have changed the cluster.
};

// Upstream gave no answer that can be relayed: 503, 504 or 502. Cancelled: the client has left, and
// is cut off. What may have acted gets no Retry-After: client-go would repeat it, whatever it is
// (rest/with_retry.go), and where the API server itself cuts a connection it does not.
Async<void> RespondUnreachable(Exchange& exchange, Status failure, Sent sent);

}  // namespace weir
