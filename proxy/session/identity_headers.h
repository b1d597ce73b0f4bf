// Header names that say who somebody is, or that end at each hop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/message.h"
#include "proxy/config/config.h"

namespace weir {

// Names by which headers say who somebody is, beside Authorization, X-Remote-* and Impersonate-*:
// of the --requestheader-* options, Weir's and the API server's. Folded.
struct IdentityHeaderNames {
  std::vector<std::string> names, prefixes;
  static IdentityHeaderNames Of(const Config& config);
};

// Lower case, `_` as `-`: the widest reading that any server on the way could have.
std::string FoldedHeaderName(std::string_view name);

// Why a request with these headers is refused whole (400): two servers could read them differently
// (auth-and-forwarding A.1, A.8, A.10). Empty: nothing is wrong with them.
std::string RefusedHeaders(const http::HeaderList& headers, const IdentityHeaderNames& own);

// Whether a header of this name says whom a request is made for; its value counts to the last byte.
bool NamesSomebody(std::string_view name, const IdentityHeaderNames& own);

// The lines that say who asks, for asking again when the rest of the head is gone: all that an
// Authenticator looks at, of a request that is no upgrade.
http::HeaderList CredentialLines(const http::HeaderList& headers, const IdentityHeaderNames& own);

// Whether the client speaks for somebody else, or tries to: any Impersonate-* field.
bool HasImpersonation(const http::HeaderList& headers);

// What a client sends and upstream must not see: hop-by-hop fields and whatever `Connection` lists,
// forged identities and addresses (auth-and-forwarding C.3). Compares names with `_` as `-`.
bool IsStrippedFromRequests(const http::HeaderList& headers, std::string_view name,
                            const IdentityHeaderNames& own);
// Hop-by-hop fields of a response.
bool IsStrippedFromResponses(const http::HeaderList& headers, std::string_view name);

// What the request asks the connection to become, in its usual spelling: "websocket" or "SPDY/3.1"
// (auth-and-forwarding C.6). Null: nothing, or something that is not forwarded, such as h2c; then
// it is an ordinary request.
std::optional<std::string_view> RequestedUpgrade(const http::RequestHead& request);
// Whether `headers` agree to exactly that.
bool AgreesToUpgrade(const http::HeaderList& headers, std::string_view protocol);

}  // namespace weir
