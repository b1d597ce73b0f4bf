// The heads of forwarded messages: what goes on, what stays, what is added (auth-and-forwarding
// C.2, C.3).
#pragma once

#include <string>
#include <variant>

#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "protocol/k8s/api_error.h"
#include "proxy/auth/authenticator.h"
#include "proxy/config/config.h"
#include "proxy/session/exchange.h"
#include "proxy/session/identity_headers.h"
#include "proxy/upstream/upstream.h"

namespace weir {

// By which connections, and which credential on them, upstream learns who asks.
struct ForwardAs {
  CredentialClass credential = CredentialClass::kNone;
  std::string authorization{};  // Of kImpersonator: Weir's own; empty where that is a certificate.
};

// What to use for `credentials`; or why they cannot be forwarded: 501, where nobody may speak for
// certificate users, or not for these; 403, where they speak for others themselves by
// Impersonate-*, which the headers have no room for beside ours (auth-and-forwarding A.10, C.1).
std::variant<ForwardAs, ApiError> ChooseCredential(const http::HeaderList& headers,
                                                   const Credentials& credentials,
                                                   const Config& config, Upstream& upstream);

// The request as upstream gets it, under the identity of `credentials`; what a front proxy before
// Weir says in `own` headers ends here. InvalidArgument: a name or group that no header can carry.
StatusOr<http::RequestHead> UpstreamHead(const Exchange& exchange, const Credentials& credentials,
                                         const ForwardAs& as, const IdentityHeaderNames& own);

// Upstream's answer as the client gets it.
http::ResponseHead RelayedHead(http::ResponseHead head);

// Requests that upstream gives no deadline: watches, logs, proxies, and the streams
// (auth-and-forwarding C.7).
bool IsLongRunning(const http::RequestHead& request);

}  // namespace weir
