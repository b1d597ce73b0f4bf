// Reads HTTP/1.1 messages off a stream: heads as raw bytes, bodies as payload, for server and
// client side alike.
//
// Thread-affine; the stream outlives it. It holds a buffer only while something unread is in it.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/http/chunked.h"
#include "protocol/http/message.h"
#include "proxy/net/stream.h"

namespace weir {

class Http1Reader {
 public:
  explicit Http1Reader(Stream& stream) : stream_(stream) {}

  // The bytes of one head including its empty line, valid until the next call; "" at a clean end
  // before its first byte. ResourceExhausted: longer than `max_bytes`. Unavailable,
  // DeadlineExceeded, Cancelled: the stream. Once the first byte is there the stream's deadline
  // becomes `head_timeout` from then.
  Async<StatusOr<std::string_view>> ReadHead(size_t max_bytes, Duration head_timeout);

  // Begins the body that follows the head.
  // The head that was handed out is no longer valid.
  void BeginBody(http::BodyFraming framing);
  // The next piece of payload, valid until the next call; "" at the end. InvalidArgument: bad chunk
  // framing. Unavailable: the peer left before the end.
  Async<StatusOr<std::string_view>> ReadBody();
  // As ReadBody(), but only from bytes that were received already; "" says nothing of the end.
  StatusOr<std::string_view> ReadBodyNow();
  bool body_done() const { return body_done_; }
  const http::HeaderList& trailers() const { return decoder_.trailers(); }

  // Unread bytes: the next request of a client that pipelines.
  size_t buffered() const { return buffer_.size() - start_ - handed_out_; }
  // Reads what is there without waiting; at most `max_buffered` unread bytes are kept. Returns
  // false at the end of the stream or its failure: the peer is gone. Ends the view of the last
  // piece.
  bool Poll(size_t max_buffered);
  // All that is unread: the first bytes of another protocol. Nothing is read here afterwards.
  std::string TakeUnread();

 private:
  // Reads more; lets others on the worker have a turn where the peer is always faster than we.
  Async<Status> Fill(bool& end);
  StatusOr<std::string_view> DecodeChunked();
  void Consume(size_t bytes);

  Stream& stream_;
  std::string buffer_;
  size_t start_ = 0;       // Of what is unread.
  size_t handed_out_ = 0;  // Bytes of the last piece, consumed at the next call.
  int unwaited_ = 0;       // Reads since the last turn of the worker's loop.
  http::BodyFraming framing_;
  uint64_t remaining_ = 0;
  bool body_done_ = true;
  http::ChunkDecoder decoder_;
};

}  // namespace weir
