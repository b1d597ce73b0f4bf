#include "proxy/session/http2_callbacks.h"

#include <algorithm>
#include <new>
#include <string_view>

#include "proxy/session/http2_memory.h"
#include "proxy/session/http2_session.h"

namespace weir {

namespace {

// The head of a frame and its payload fill one TLS record.
constexpr size_t kMaxPayload = 16384 - 9;
// A DATA frame cut to less by a tiny window costs more than it carries.
constexpr size_t kCrumb = 256;
constexpr size_t kMaxAcksWaiting = 100;
constexpr size_t kMaxContinuations = 8;
constexpr size_t kMaxAnswerHeadBytes = size_t{1} << 20;

std::string_view Text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

Http2Session& Of(void* user_data) { return *static_cast<Http2Session*>(user_data); }

Http2Stream* StreamOf(nghttp2_session* session, int32_t id) {
  return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(session, id));
}

int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) Of(user_data).OnStreamOpened(frame->hd.stream_id);
  return 0;
}

int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name,
             size_t name_size, const uint8_t* value, size_t value_size, uint8_t, void* user_data) {
  Http2Stream* const stream = StreamOf(session, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (stream->builder() != nullptr) {
    stream->builder()->Add(Text(name, name_size), Text(value, value_size));
  } else if (!stream->AddTrailer(Text(name, name_size), Text(value, value_size))) {
    Of(user_data).Reset(stream->id(), NGHTTP2_PROTOCOL_ERROR);
  }
  return 0;
}

// Left to itself nghttp2 would overlook the field, and the next reader might not.
int OnInvalidHeader(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t*, size_t,
                    const uint8_t*, size_t, uint8_t, void* user_data) {
  Http2Stream* const stream = StreamOf(session, frame->hd.stream_id);
  if (stream == nullptr) return 0;
  if (stream->builder() != nullptr) {
    stream->builder()->SetMalformed();
  } else {
    Of(user_data).Reset(stream->id(), NGHTTP2_PROTOCOL_ERROR);
  }
  return 0;
}

int OnFrameReceived(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (frame->hd.type == NGHTTP2_WINDOW_UPDATE || frame->hd.type == NGHTTP2_SETTINGS) {
    Of(user_data).Changed();
  } else if (frame->hd.type == NGHTTP2_HEADERS) {
    Of(user_data).OnHeadersReceived(frame->hd.stream_id, end);
  } else if (frame->hd.type == NGHTTP2_DATA && !end) {
    if (frame->hd.length > 0 && frame->hd.length == frame->data.padlen)
      Of(user_data).OnPaddingOnly();
  } else if (frame->hd.type == NGHTTP2_DATA) {
    if (Http2Stream* const stream = StreamOf(session, frame->hd.stream_id); stream != nullptr)
      stream->OnBodyEnd();
  }
  return 0;
}

int OnDataChunk(nghttp2_session* session, uint8_t, int32_t id, const uint8_t* data, size_t size,
                void* user_data) {
  Of(user_data).OnDataReceived(id, Text(data, size), StreamOf(session, id));
  return 0;
}

int OnStreamClose(nghttp2_session*, int32_t id, uint32_t, void* user_data) {
  Of(user_data).OnStreamClosed(id);
  return 0;
}

int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
  Http2Stream* const stream =
      frame->hd.stream_id != 0 ? StreamOf(session, frame->hd.stream_id) : nullptr;
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    // Those of refused streams were counted before: they may pile up behind a full socket.
    const bool provoked =
        frame->rst_stream.error_code != NGHTTP2_NO_ERROR && stream != nullptr && !stream->aborted();
    if (provoked) Of(user_data).OnResetProvoked();
  }
  const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (carries && stream != nullptr && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    stream->OnEndSent();
    Of(user_data).Changed();
  }
  return 0;
}

// An answer whose head cannot be framed.
int OnFrameNotSent(nghttp2_session* session, const nghttp2_frame* frame, int, void* user_data) {
  if (frame->hd.type == NGHTTP2_HEADERS && StreamOf(session, frame->hd.stream_id) != nullptr) {
    Of(user_data).Reset(frame->hd.stream_id, NGHTTP2_INTERNAL_ERROR);
  }
  return 0;
}

ssize_t ReadAnswer(nghttp2_session*, int32_t, uint8_t*, size_t room, uint32_t* flags,
                   nghttp2_data_source* source, void* user_data) {
  Http2Stream& stream = *static_cast<Http2Stream*>(source->ptr);
  const size_t available = stream.available();
  const size_t take = std::min({room, available, kMaxPayload});
  const bool end = take == available && stream.ending();
  if (take == 0 && !end) {
    stream.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (end) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream.answer_trailers() != nullptr) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      Of(user_data).SubmitTrailers(stream);
    }
  }
  return static_cast<ssize_t>(take);
}

int SendData(nghttp2_session*, nghttp2_frame*, const uint8_t* head, size_t size,
             nghttp2_data_source* source, void* user_data) {
  constexpr size_t kFrameHead = 9;
  Http2Stream& stream = *static_cast<Http2Stream*>(source->ptr);
  if (size > stream.available()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // It was aborted.
  const bool crumb = size < kCrumb && size < stream.available();
  return Of(user_data).AddData(stream, Text(head, kFrameHead), size, crumb)
             ? 0
             : NGHTTP2_ERR_WOULDBLOCK;
}

nghttp2_session_callbacks* Callbacks() {
  static nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* c = nullptr;
    if (nghttp2_session_callbacks_new(&c) != 0) throw std::bad_alloc();
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback(c, OnHeader);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, OnInvalidHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, OnFrameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, OnDataChunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, OnStreamClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, OnFrameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(c, OnFrameNotSent);
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
    // RFC 9113 §8.2.1 has a field that begins or ends with a space refused. Go's server takes it,
    // and Go's client sends it where a caller left one in a value: it is trimmed, as in HTTP/1.1.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(o, 1);
    nghttp2_option_set_max_outbound_ack(o, kMaxAcksWaiting);
    nghttp2_option_set_max_continuations(o, kMaxContinuations);
    nghttp2_option_set_max_send_header_block_length(o, kMaxAnswerHeadBytes);
    return o;
  }();
  return options;
}

}  // namespace

nghttp2_session* NewHttp2ServerSession(Http2Session& session) {
  nghttp2_session* made = nullptr;
  if (nghttp2_session_server_new3(&made, Callbacks(), &session, Options(), SessionMemory()) != 0)
    throw std::bad_alloc();
  return made;
}

nghttp2_data_provider Http2BodyOf(Http2Stream& stream) {
  nghttp2_data_provider provider;
  provider.source.ptr = &stream;
  provider.read_callback = ReadAnswer;
  return provider;
}

}  // namespace weir
