// Requests that turn their connection into something else: exec, attach, port-forward, cp, and
// watches over WebSocket (auth-and-forwarding C.6).
//
//   client ──head──▶ Weir ──head, "Upgrade"──▶ API server      on a connection made for this alone
//   client ◀─head── Weir ◀────── 101 ───────── API server      before it nothing of the client's
//   client ◀════════ bytes, both ways ════════▶ API server     flows on; from here all does
//
// Any other answer is relayed as an answer and both connections are closed: there is no way from a
// refused upgrade to a connection that upstream trusts and the client writes to (CVE-2018-1002105).
#pragma once

#include <string_view>

#include "proxy/session/exchange.h"
#include "proxy/session/forward_slot.h"
#include "proxy/session/service.h"

namespace weir {

// Forwards the request `head`, which asks for `protocol` and has no body, over a connection of
// `credential` that nobody else ever uses. Returns when it is over: answered, or both connections
// closed. The caller has called exchange.CloseAfterwards(). `slot` is left when the bytes flow.
Async<void> ForwardUpgrade(Service& service, Exchange& exchange, CredentialClass credential,
                           http::RequestHead head, std::string_view protocol, ForwardSlot& slot);

}  // namespace weir
