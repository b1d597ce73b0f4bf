#include "proxy/upstream/http2_client_callbacks.h"

#include <algorithm>
#include <array>
#include <new>

#include "proxy/upstream/http2_client_session.h"

namespace weir {

namespace {

// The head of a frame and its payload fill one TLS record.
constexpr size_t kMaxPayload = 16384 - 9;
constexpr size_t kMaxAcksWaiting = 100;
// With frames of 64 KiB more than any head that is taken.
constexpr size_t kMaxContinuations = 16;
constexpr size_t kMaxRequestHeadBytes = size_t{2} << 20;

std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

Http2ClientSession& Of(void* user_data) { return *static_cast<Http2ClientSession*>(user_data); }

bool Ends(const nghttp2_frame* frame) { return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0; }

int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* head, void* user_data) {
  const bool empty_data = head->type == NGHTTP2_DATA && head->length == 0 &&
                          (head->flags & NGHTTP2_FLAG_END_STREAM) == 0;
  const bool carries = head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION ||
                       head->type == NGHTTP2_RST_STREAM || head->type == NGHTTP2_WINDOW_UPDATE ||
                       (head->type == NGHTTP2_DATA && !empty_data);
  return Of(user_data).OnFrameBegins(carries) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  if (auto* const stream = Of(user_data).Find(frame->hd.stream_id)) stream->OnHeadBegins();
  return 0;
}

int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
             const uint8_t* value, size_t value_size, uint8_t, void* user_data) {
  const int32_t id = frame->hd.stream_id;
  auto* const stream = Of(user_data).Find(id);
  if (stream != nullptr && !stream->OnField(Text(name, name_size), Text(value, value_size)))
    Of(user_data).OnMalformed(id);
  return 0;
}

// Left to itself nghttp2 would overlook the field, and the next reader might not.
int OnInvalidHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t*, size_t,
                    const uint8_t*, size_t, uint8_t, void* user_data) {
  Of(user_data).OnMalformed(frame->hd.stream_id);
  return 0;
}

int OnFrameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  Http2ClientSession& session = Of(user_data);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      session.OnHeadersEnd(frame->hd.stream_id, Ends(frame));
      break;
    case NGHTTP2_DATA:
      if (auto* const stream = session.Find(frame->hd.stream_id); stream != nullptr && Ends(frame))
        stream->OnEnd();
      break;
    case NGHTTP2_SETTINGS:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) session.OnSettings();
      break;
    case NGHTTP2_GOAWAY:
      session.OnGoAway(frame->goaway.error_code);
      break;
    default:
      break;
  }
  return 0;
}

int OnDataChunk(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size,
                void* user_data) {
  Of(user_data).OnData(id, Text(data, size));
  return 0;
}

int OnStreamClose(nghttp2_session*, int32_t id, uint32_t code, void* user_data) {
  Of(user_data).OnStreamClosed(id, code);
  return 0;
}

int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  auto* const stream = Of(user_data).Find(frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (frame->hd.type == NGHTTP2_HEADERS) stream->head_sent = true;
  // Nobody left it: nghttp2 resets what breaks the rules.
  if (frame->hd.type == NGHTTP2_RST_STREAM) stream->OnMalformed();
  return 0;
}

ssize_t ReadRequest(nghttp2_session*, int32_t id, uint8_t*, size_t room, uint32_t* flags,
                    nghttp2_data_source*, void* user_data) {
  Http2ClientStream* const stream = Of(user_data).Find(id);
  if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  const size_t take = std::min({room, stream->available(), kMaxPayload});
  const bool end = take == stream->available() && stream->ending();
  if (take == 0 && !end) {
    stream->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (end) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(take);
}

int SendData(nghttp2_session*, nghttp2_frame* frame, const uint8_t* head, size_t size,
             nghttp2_data_source*, void* user_data) {
  constexpr size_t kFrameHead = 9;
  Http2ClientStream* const stream = Of(user_data).Find(frame->hd.stream_id);
  if (stream == nullptr || size > stream->available()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  return Of(user_data).AddData(Text(head, kFrameHead), *stream, size) ? 0 : NGHTTP2_ERR_WOULDBLOCK;
}

nghttp2_session_callbacks* Callbacks() {
  static nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* c = nullptr;
    if (nghttp2_session_callbacks_new(&c) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, OnBeginFrame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, OnFrameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, OnDataChunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, OnStreamClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, OnFrameSent);
    nghttp2_session_callbacks_set_send_data_callback(c, SendData);
    return c;
  }();
  return callbacks;
}

nghttp2_option* Options() {
  static nghttp2_option* const options = [] {
    nghttp2_option* o = nullptr;
    if (nghttp2_option_new(&o) != 0) throw std::bad_alloc();
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_no_closed_streams(o, 1);
    // As towards clients: Go sends such fields, and they are trimmed.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(o, 1);
    nghttp2_option_set_max_outbound_ack(o, kMaxAcksWaiting);
    nghttp2_option_set_max_continuations(o, kMaxContinuations);
    nghttp2_option_set_max_send_header_block_length(o, kMaxRequestHeadBytes);
    return o;
  }();
  return options;
}

bool StaysHere(const http::Header& line) {
  constexpr std::array<std::string_view, 8> kNames = {
      "host",    "connection",     "keep-alive",    "proxy-connection", "transfer-encoding",
      "upgrade", "http2-settings", "content-length"};
  if (http::EqualsIgnoreCase(line.name, "te")) return line.value != "trailers";
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) {
    return http::EqualsIgnoreCase(line.name, name);
  });
}

bool IsSensitive(std::string_view name) {
  const auto begins = [&](std::string_view with) {
    return http::EqualsIgnoreCase(name.substr(0, with.size()), with);
  };
  return begins("authorization") || begins("cookie") || begins("x-remote-") ||
         begins("impersonate-");
}

}  // namespace

nghttp2_session* NewHttp2ClientSession(Http2ClientSession& session) {
  nghttp2_session* made = nullptr;
  if (nghttp2_session_client_new2(&made, Callbacks(), &session, Options()) != 0)
    throw std::bad_alloc();
  return made;
}

std::vector<nghttp2_nv> Http2RequestFields(const http::RequestHead& head,
                                           std::string_view authority, std::string_view path,
                                           const std::string& length) {
  const auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  std::vector<nghttp2_nv> fields;
  fields.reserve(head.headers.lines().size() + 5);
  // nghttp2 makes names lower case as it copies them.
  const auto add = [&](std::string_view name, std::string_view value) {
    const uint8_t flags = IsSensitive(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    fields.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
  };
  add(":method", head.method);
  add(":scheme", "https");
  add(":authority", authority);
  add(":path", path);
  for (const http::Header& line : head.headers.lines())
    if (!StaysHere(line)) add(line.name, line.value);
  if (head.body.kind == http::BodyFraming::Kind::kLength) add("content-length", length);
  return fields;
}

nghttp2_data_provider Http2RequestBody() {
  nghttp2_data_provider provider{};
  provider.read_callback = ReadRequest;
  return provider;
}

}  // namespace weir
