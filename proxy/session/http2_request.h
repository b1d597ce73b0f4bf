// A request's head as HTTP/2 brings it, field by field, held to the rules of HTTP/1.1.
//
// nghttp2 has seen to RFC 9113 §8.2 and §8.3 (names, pseudo-headers, connection-specific fields,
// one Content-Length). What is left here is what a request may say: the same as over HTTP/1.1, so
// that what is forwarded there cannot be read in two ways (auth-and-forwarding E.1, E.2).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/http/head.h"
#include "protocol/http/message.h"
#include "proxy/session/identity_headers.h"

namespace weir {

class Http2RequestBuilder {
 public:
  // RFC 9113 §8.1.1: the stream ends with PROTOCOL_ERROR.
  struct Malformed {};

  // `own` outlives it.
  Http2RequestBuilder(const http::HeadLimits& limits, const IdentityHeaderNames& own)
      : limits_(limits), own_(own) {}

  // The next field. Beyond the limits nothing is kept: a field costs its size only.
  void Add(std::string_view name, std::string_view value);
  void SetMalformed() { malformed_ = true; }

  // The head, once. `end_stream`: no body follows. HttpError: 405, 414, 431, for the client to
  // read.
  std::variant<http::RequestHead, http::HttpError, Malformed> Finish(bool end_stream);

 private:
  void AddPseudo(std::string_view name, std::string_view value);
  bool SettleAuthority();
  bool SettleBody(bool end_stream);
  void SettleFields();

  const http::HeadLimits limits_;
  const IdentityHeaderNames& own_;
  http::RequestHead head_;
  std::string scheme_;
  std::string authority_;
  std::string cookie_;  // Its crumbs, joined (RFC 9113 §8.2.3).
  size_t bytes_ = 0;    // As HTTP/1.1 would have spelt it.
  size_t fields_ = 0;
  bool malformed_ = false;
};

// Whether a trailer section that is this far may go on; counts the field.
struct Http2TrailerLimits {
  size_t bytes = 0;
  size_t fields = 0;
  bool Admits(std::string_view name, std::string_view value, const http::HeadLimits& limits);
};

}  // namespace weir
