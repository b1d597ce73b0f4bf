#include "proxy/net/http1_reader.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "protocol/http/head.h"

namespace weir {

namespace {
constexpr size_t kReadBytes = 16 * 1024;
constexpr int kReadsPerTurn = 16;
}  // namespace

void Http1Reader::Consume(size_t bytes) {
  start_ += bytes;
  if (start_ < buffer_.size()) return;
  std::string().swap(buffer_);
  start_ = 0;
}

Async<Status> Http1Reader::Fill(bool& end) {
  end = false;
  for (;;) {
    if (start_ > 0) {
      buffer_.erase(0, start_);
      start_ = 0;
    }
    // An idle connection waits without a buffer; one in use reads straight into it.
    const size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    const StatusOr<size_t> got = stream_.ReadNow(buffer_.data() + before, kReadBytes, end);
    buffer_.resize(before + (got.ok() ? *got : 0));
    if (buffer_.empty()) std::string().swap(buffer_);
    if (!got.ok()) co_return got.status();
    if (*got > 0 && ++unwaited_ >= kReadsPerTurn) {
      unwaited_ = 0;
      co_await net::post(stream_.worker().io(), net::use_awaitable_t<IoExecutor>());
    }
    if (*got > 0 || end) co_return OkStatus();
    unwaited_ = 0;
    co_await stream_.WaitReadable();
  }
}

Async<StatusOr<std::string_view>> Http1Reader::ReadHead(size_t max_bytes, Duration head_timeout) {
  Consume(std::exchange(handed_out_, 0));
  size_t searched = 0;
  bool timed = false;
  for (;;) {
    const std::string_view unread = std::string_view(buffer_).substr(start_);
    if (const auto length = http::FindHeadEnd(unread, searched); length.has_value()) {
      if (*length > max_bytes) co_return ResourceExhausted("head too long");
      handed_out_ = *length;
      co_return unread.substr(0, *length);
    }
    if (unread.size() > max_bytes) co_return ResourceExhausted("head too long");
    searched = unread.size();
    if (!unread.empty() && !timed) {
      stream_.SetDeadline(stream_.worker().Now() + head_timeout);
      timed = true;
    }
    bool end = false;
    WEIR_CO_TRY(co_await Fill(end));
    if (end) {
      if (searched == 0) co_return std::string_view();
      co_return Unavailable("connection closed inside a head");
    }
  }
}

void Http1Reader::BeginBody(http::BodyFraming framing) {
  Consume(std::exchange(handed_out_, 0));  // A long watch must not hold the buffer of its head.
  framing_ = framing;
  remaining_ = framing.length;
  decoder_ = http::ChunkDecoder();
  using Kind = http::BodyFraming::Kind;
  body_done_ = framing.kind == Kind::kNone || (framing.kind == Kind::kLength && remaining_ == 0);
}

Async<StatusOr<std::string_view>> Http1Reader::ReadBody() {
  for (;;) {
    const StatusOr<std::string_view> piece = ReadBodyNow();
    if (!piece.ok() || !piece->empty() || body_done_) co_return piece;
    bool end = false;
    WEIR_CO_TRY(co_await Fill(end));
    if (!end) continue;
    if (framing_.kind != http::BodyFraming::Kind::kUntilClose) {
      co_return Unavailable("connection closed inside a body");
    }
    body_done_ = true;
  }
}

StatusOr<std::string_view> Http1Reader::ReadBodyNow() {
  Consume(std::exchange(handed_out_, 0));
  if (body_done_) return std::string_view();
  if (framing_.kind == http::BodyFraming::Kind::kChunked) return DecodeChunked();
  std::string_view piece = std::string_view(buffer_).substr(start_);
  if (framing_.kind == http::BodyFraming::Kind::kLength) {
    piece = piece.substr(0, std::min<uint64_t>(piece.size(), remaining_));
    remaining_ -= piece.size();
    body_done_ = remaining_ == 0;
  }
  handed_out_ = piece.size();
  return piece;
}

StatusOr<std::string_view> Http1Reader::DecodeChunked() {
  for (;;) {
    const StatusOr<http::ChunkDecoder::Piece> piece =
        decoder_.Next(std::string_view(buffer_).substr(start_));
    if (!piece.ok()) return piece.status();
    if (!piece->data.empty()) {
      handed_out_ = piece->consumed;  // The view stays valid until these bytes are consumed.
      return piece->data;
    }
    Consume(piece->consumed);
    body_done_ = decoder_.done();
    if (body_done_ || piece->consumed == 0 || buffered() == 0) return std::string_view();
  }
}

bool Http1Reader::Poll(size_t max_buffered) {
  Consume(std::exchange(handed_out_, 0));
  while (buffered() < max_buffered) {
    const size_t before = buffer_.size();
    const size_t room = std::min(kReadBytes, max_buffered - buffered());
    buffer_.resize(before + room);
    bool end = false;
    const StatusOr<size_t> got = stream_.ReadNow(buffer_.data() + before, room, end);
    buffer_.resize(before + (got.ok() ? *got : 0));
    if (buffer_.empty()) std::string().swap(buffer_);
    if (!got.ok() || end) return false;
    if (*got == 0) return true;
  }
  return true;
}

std::string Http1Reader::TakeUnread() {
  Consume(std::exchange(handed_out_, 0));
  std::string unread = std::exchange(buffer_, {});
  unread.erase(0, std::exchange(start_, 0));
  return unread;
}

}  // namespace weir
