// The way out of an HTTP/2 session: frames into a batch, the batch into the socket.
#include <utility>

#include "proxy/session/http2_session.h"

namespace weir {

namespace {
// Where a pass makes so much it is not held for the end of the turn.
constexpr size_t kMuch = 16 * 1024;
}  // namespace

void Http2Session::Pump() {
  if (batch_ != nullptr || blocked_ || lost_) return;
  thread_local Http2Batch batch;
  bool more = true;
  while (more && !blocked_ && !lost_) {
    batch.Clear();
    batch_ = &batch;
    more = MakeFrames(batch);
    batch_ = nullptr;
    Send(batch, /*at_once=*/more);
    for (const std::shared_ptr<Http2Stream>& stream : taken_) stream->ForgetTaken();
    taken_.clear();
    if (flood_ != nullptr && !terminated_) {
      EndWithFlood();
      more = true;
    }
  }
  if (!client_->stream.failure().ok()) Break();
  SettleClosed();
  EndIfFinished();
}

// Whether there is more than the batch has room for.
bool Http2Session::MakeFrames(Http2Batch& batch) {
  batch_full_ = false;
  while (batch.HasRoom(Http2Batch::kCopied)) {
    const uint8_t* data = nullptr;
    const ssize_t made = nghttp2_session_mem_send(session_, &data);
    if (made < 0) return Break(), false;
    if (made == 0) return batch_full_;
    std::string_view frame(reinterpret_cast<const char*>(data), static_cast<size_t>(made));
    if (std::exchange(settings_sent_, true)) {
      batch.AddCopy(frame);
    } else {
      std::string settings(frame);
      PatchSettings(settings);
      batch.AddCopy(settings);
    }
  }
  return true;
}

void Http2Session::Send(Http2Batch& batch, bool at_once) {
  if (batch.bytes() == 0) return;
  if (!at_once && held_.size() + batch.bytes() < kMuch) {
    FlushQueue& queue = client_->service.flushes;
    if (held_.empty()) held_ = queue.TakeBuffer();
    for (const std::string_view piece : batch.pieces()) held_.append(piece);
    return queue.Add(*this, batch.bytes());
  }
  if (held_.empty()) return WriteOut(batch.pieces());
  thread_local std::vector<std::string_view> pieces;
  pieces.clear();
  pieces.emplace_back(held_);
  pieces.insert(pieces.end(), batch.pieces().begin(), batch.pieces().end());
  WriteOut(pieces);
}

void Http2Session::FlushNow() {
  if (held_.empty() || lost_) return;
  const std::string_view piece = held_;
  WriteOut(std::span(&piece, 1));
  EndIfFinished();
}

void Http2Session::WriteOut(std::span<const std::string_view> pieces) {
  const bool taken = client_->stream.Write(pieces);
  client_->service.flushes.GiveBuffer(std::exchange(held_, {}));
  if (taken) return;
  blocked_ = true;
  if (client_->stream.failure().ok()) worker().Spawn(AwaitDrained(shared_from_this()));
}

// The socket is full: nothing is framed until it has taken what it got.
Async<void> Http2Session::AwaitDrained(std::shared_ptr<Http2Session> self) {
  const Status drained = co_await self->client_->stream.Flush(
      self->client_->service.shared.config->write_stall_timeout);
  if (!drained.ok()) co_return self->Break();
  self->blocked_ = false;
  self->changed_ = true;
  self->Pump();
}

void Http2Session::Break() {
  client_->stream.Cut();
  Lost();
}

// All was said: the client has a moment to read it.
void Http2Session::EndIfFinished() {
  if (ending_ || lost_ || !finished()) return;
  ending_ = true;
  client_->stream.FinishWriting();
  client_->stream.SetDeadline(worker().Now() + ClientConnection::kLingerTimeout);
  Lost();
}

}  // namespace weir
