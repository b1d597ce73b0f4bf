// HTTP/1.1 heads: a strict check of the raw bytes, then Boost.Beast's parser; and back to bytes.
//
// The raw check refuses whatever two servers might read differently (auth-and-forwarding E.1:
// folded lines, bare LF, whitespace around names, control bytes, Content-Length beside
// Transfer-Encoding, lists in either, several Hosts …) before Beast, which hides some of it, sees
// the bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/http/message.h"

namespace weir::http {

struct HeadLimits {
  size_t max_head_bytes = 64 * 1024;    // Request line and fields: 431.
  size_t max_target_bytes = 16 * 1024;  // 414.
  size_t max_fields = 256;              // 431.
};

// The length of the head in `bytes` including its empty line, or nothing yet. Looks only at bytes
// from `searched` on (minus three), so repeated calls on a growing buffer stay linear.
std::optional<size_t> FindHeadEnd(std::string_view bytes, size_t searched = 0);

// `head` is exactly one head including its empty line.
std::variant<RequestHead, HttpError> ParseRequestHead(std::string_view head,
                                                      const HeadLimits& limits);

// `method` is the request's: HEAD answers, 1xx, 204 and 304 have no body. The error is what is
// wrong with the peer.
std::variant<ResponseHead, HttpError> ParseResponseHead(std::string_view head,
                                                        std::string_view method);

// Appends the head as it goes on the wire. Framing fields are the caller's to put into `headers`.
void AppendRequestHead(const RequestHead& head, std::string& out);
void AppendResponseHead(const ResponseHead& head, std::string& out);

// The standard reason phrase, as Go's net/http prints it.
std::string_view ReasonPhrase(int status);

}  // namespace weir::http
