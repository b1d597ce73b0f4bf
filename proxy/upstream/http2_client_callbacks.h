// nghttp2 as a client: options, callbacks, field lines. The callbacks record, and call nobody.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/message.h"

namespace weir {

class Http2ClientSession;

// Owned by `session`, which is its callbacks' user data.
nghttp2_session* NewHttp2ClientSession(Http2ClientSession& session);

// A request's fields as HTTP/2 has them. `head`, `length` and what `authority` and `path` refer to
// outlive the result. Credentials and names of users are not kept in the peers' tables.
std::vector<nghttp2_nv> Http2RequestFields(const http::RequestHead& head,
                                           std::string_view authority, std::string_view path,
                                           const std::string& length);

// Takes a request's body from its Http2ClientStream.
nghttp2_data_provider Http2RequestBody();

}  // namespace weir
