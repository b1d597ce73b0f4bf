// The heads of forwarded messages: what goes on, what stays, what is added (auth-and-forwarding
// C.2, C.3).
#pragma once

#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "proxy/auth/authenticator.h"
#include "proxy/session/exchange.h"

namespace weir {

// The request as upstream gets it, under the identity of `credentials`. InvalidArgument: a name or
// group that no header can carry.
StatusOr<http::RequestHead> UpstreamHead(const Exchange& exchange, const Credentials& credentials);

// Upstream's answer as the client gets it.
http::ResponseHead RelayedHead(http::ResponseHead head);

// Requests that upstream gives no deadline: watches, logs, proxies, and the streams
// (auth-and-forwarding C.7).
bool IsLongRunning(const http::RequestHead& request);

}  // namespace weir
