// Where a request carries a token, and what a token says of its own end (auth-and-forwarding A.4,
// A.6).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/http/message.h"

namespace weir {

struct BearerToken {
  enum class Kind : uint8_t {
    kNone,     // No opinion: another scheme, a tab or two spaces after `Bearer` …
    kToken,    // Bytes 0x21-0x7E, at least one.
    kInvalid,  // 401: a token that must not be sent upstream, or a malformed WebSocket entry.
  };
  Kind kind = Kind::kNone;
  std::string token;
};

// Of one Authorization field.
BearerToken ParseAuthorization(std::string_view value);
// Of the subprotocols that a WebSocket handshake offers; kNone where `headers` are none.
BearerToken ParseWebSocketToken(const http::HeaderList& headers);

// A Sec-WebSocket-Protocol value without the entries that carry tokens; empty where none is left.
std::string WithoutTokens(std::string_view protocols);

// The `exp` claim of what looks like a JWT. Not verified: it may only shorten what upstream has
// said.
std::optional<std::chrono::system_clock::time_point> TokenExpiry(std::string_view token);

}  // namespace weir
