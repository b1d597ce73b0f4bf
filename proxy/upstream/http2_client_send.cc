// The way out of an HTTP/2 connection to the API server: what a turn has submitted goes out
// together.
#include <nghttp2/nghttp2.h>

#include <utility>

#include "proxy/upstream/http2_client_session.h"

namespace weir {

namespace {

constexpr size_t kMaxBatch = size_t{128} << 10;
constexpr Duration kWriteStall = std::chrono::seconds(60);
constexpr Duration kLastWords = std::chrono::seconds(5);

}  // namespace

void Http2ClientSession::PumpSoon() {
  if (lost_ || std::exchange(pumping_, true)) return;
  worker().Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr) return;
    self->pumping_ = false;
    self->Pump();
    self->WatchTheClock();
  });
}

bool Http2ClientSession::AddData(std::string_view head, Http2ClientStream& stream, size_t size) {
  out_full_ = out_->size() >= kMaxBatch;
  if (out_full_) return false;
  out_->append(head);
  out_->append(stream.Take(size));
  return true;
}

void Http2ClientSession::Pump() {
  if (out_ != nullptr || blocked_ || lost_) return;
  thread_local std::string buffer;
  bool more = true;
  while (more && !blocked_ && !lost_) {
    buffer.clear();
    out_ = &buffer;
    more = MakeFrames();
    out_ = nullptr;
    if (!buffer.empty() && !lost_) blocked_ = !stream_->Write(buffer);
  }
  if (blocked_ && !lost_) worker().Spawn(AwaitDrained(shared_from_this()));
  EndIfOver();
}

// Whether there is more than one batch takes.
bool Http2ClientSession::MakeFrames() {
  out_full_ = false;
  while (out_->size() < kMaxBatch) {
    const uint8_t* data = nullptr;
    const ssize_t made = nghttp2_session_mem_send(session_, &data);
    if (made < 0) {
      Http2ClientStream::End end;
      end.failure = Internal(nghttp2_strerror(static_cast<int>(made)));
      end.lost = true;
      Break(end);
      return false;
    }
    if (made == 0) return out_full_;
    out_->append(reinterpret_cast<const char*>(data), static_cast<size_t>(made));
  }
  return true;
}

// The socket is full: nothing is framed until it has taken what it got.
Async<void> Http2ClientSession::AwaitDrained(std::shared_ptr<Http2ClientSession> self) {
  const Status drained = co_await self->stream_->Flush(kWriteStall);
  if (!drained.ok()) {
    // What it has said before can still be read.
    self->stream_->SetDeadline(self->worker().Now() + kLastWords);
    co_return self->Retire();
  }
  self->blocked_ = false;
  self->Pump();
}

void Http2ClientSession::EndIfOver() {
  if (lost_ || blocked_ || out_ != nullptr) return;
  if (retired_ && streams_.empty() && begun_ == 0 && !std::exchange(terminated_, true)) {
    nghttp2_session_terminate_session(session_, NGHTTP2_NO_ERROR);
    return Pump();
  }
  if (nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0) return;
  stream_->Close();
  Http2ClientStream::End end;
  end.failure = InvalidArgument("the API server's HTTP/2 is malformed");
  end.lost = true;
  Break(end);
}

}  // namespace weir
