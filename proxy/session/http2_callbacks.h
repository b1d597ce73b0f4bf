// nghttp2 as this server uses it: its options, and the callbacks that tell a session what came and
// ask what goes.
#pragma once

#include <nghttp2/nghttp2.h>

namespace weir {

class Http2Session;
class Http2Stream;

// A server's nghttp2 session whose callbacks are those of `session`, which outlives it.
nghttp2_session* NewHttp2ServerSession(Http2Session& session);
// The body of the stream's answer, which nghttp2 asks for when it may be sent.
nghttp2_data_provider Http2BodyOf(Http2Stream& stream);

}  // namespace weir
