// The HTTP/2 of one connection: nghttp2, the streams, and what goes out in which order.
//
//   bytes ─▶ Receive() ─▶ nghttp2's callbacks, which only record ─▶ TakeNew(): streams to serve
//   streams, nghttp2 ─▶ Pump() ─▶ Http2Batch ─▶ Stream::Write, at once if it is much,
//                                             └▶ `held_`, until the end of the worker's turn
//
// Thread-affine. The coroutine of the connection and those of its streams share it.
//
// Bounds: streams as --http2-max-streams-per-connection; a stream's unread body and the peer's part
// of its window, 256 KiB; what streams keep because their windows are closed, 4 MiB in all; the
// rest in http2_guard.h. A peer that exceeds one gets GOAWAY.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proxy/session/connection.h"
#include "proxy/session/http2_frame_heads.h"
#include "proxy/session/http2_guard.h"
#include "proxy/session/http2_output.h"
#include "proxy/session/http2_roll.h"
#include "proxy/session/http2_stream.h"

namespace weir {

class Http2Session final : public FlushQueue::Member,
                           public std::enable_shared_from_this<Http2Session> {
 public:
  explicit Http2Session(std::shared_ptr<ClientConnection> client);
  ~Http2Session() override;
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // Feeds what was received. False: the connection is to end; what is left to say has been queued.
  bool Receive(std::string_view bytes);
  // Streams whose heads have become complete since the last call.
  std::vector<std::shared_ptr<Http2Stream>> TakeNew();
  // Frames and sends what may go out now.
  void Pump();
  void FlushNow() override;
  // The connection is gone, for whatever reason: so are its streams.
  void Lost();

  // No stream may follow those that are open (GOAWAY NO_ERROR); the connection ends with the last.
  void GoAway();
  // Nothing is left to say or to hear.
  bool finished() const;

  // For streams.
  ClientConnection& client() { return *client_; }
  Worker& worker() const { return client_->service.worker; }
  bool blocked() const { return blocked_; }
  nghttp2_session* raw() const { return session_; }
  void BeforeAnswer(const Http2Stream& stream, int status);
  void SubmitHead(Http2Stream& stream, int status, const http::HeaderList& headers, bool interim,
                  bool end);
  void Resume(Http2Stream& stream);
  void Reset(int32_t stream, uint32_t code);
  // The application took so much of a body: the windows open again.
  void Consume(const Http2Stream& stream, size_t bytes);
  void AddWaiting(const std::shared_ptr<Http2Stream>& stream);
  void Changed() { changed_ = true; }
  // Calls those that wait and need not, later.
  void CallWaitersSoon();
  size_t WindowOf(const Http2Stream& stream) const;
  void AddKept(int64_t bytes);
  size_t kept() const { return kept_; }
  const http::HeadLimits& limits() const { return limits_; }
  // CredentialLines() of them: of one client's streams they are the same. Null: none.
  std::shared_ptr<const http::HeaderList> ShareCredentials(const http::HeaderList& headers);

  // Beyond it a stream whose peer does not take what was written is reset.
  static constexpr size_t kMaxKept = size_t{4} << 20;

  // For the connection's coroutine. Handlers under way, whether or not their streams are open.
  size_t running = 0;
  Signal none_running;
  void OnHandlerEnded();
  // Ends the connection when the client owes something for too long. Call it when that changed.
  void WatchTheClock();

  // For nghttp2's callbacks (http2_callbacks.cc); they only record.
  void OnStreamOpened(int32_t id);
  void OnHeadersReceived(int32_t id, bool end_stream);
  void OnDataReceived(int32_t id, std::string_view bytes, Http2Stream* stream);
  void OnPaddingOnly();
  void OnStreamClosed(int32_t id);
  void OnResetProvoked();
  // False: the batch is full.
  bool AddData(Http2Stream& stream, std::string_view head, size_t size, bool crumb);
  void SubmitTrailers(Http2Stream& stream);

 private:
  // False: it was too much.
  bool ScanHeads(std::string_view bytes);
  bool OnFrameHead(const Http2FrameHead& frame);
  void SubmitSettings();
  void PatchSettings(std::string& frame) const;
  bool MakeFrames(Http2Batch& batch);
  void Send(Http2Batch& batch, bool at_once);
  void WriteOut(std::span<const std::string_view> pieces);
  void SettleClosed();
  void CallWaiters();
  void EndWithFlood();
  void EndIfFinished();
  // As Lost(), and the socket is closed.
  void Break();
  // When the peer must have said more; max(): it owes nothing.
  TimePoint due() const;
  void OnClock();
  static Async<void> AwaitDrained(std::shared_ptr<Http2Session> self);

  const std::shared_ptr<ClientConnection> client_;
  const http::HeadLimits limits_;
  const uint32_t max_streams_;
  nghttp2_session* session_ = nullptr;
  Http2Roll::Entry entry_;
  Http2FrameHeads heads_;
  Http2Guard guard_;

  absl::flat_hash_map<int32_t, std::shared_ptr<Http2Stream>> streams_;  // Open ones.
  std::vector<std::shared_ptr<Http2Stream>> new_;
  std::vector<std::shared_ptr<Http2Stream>> closed_;  // Since the last SettleClosed().
  std::vector<std::weak_ptr<Http2Stream>> waiting_;
  std::vector<std::shared_ptr<Http2Stream>> taken_;  // Of the present batch.

  std::weak_ptr<const http::HeaderList> credentials_;  // Those shared last.

  std::string held_;             // Framed, for the end of the turn.
  Http2Batch* batch_ = nullptr;  // While nghttp2 makes frames.
  size_t kept_ = 0;
  size_t block_bytes_ = 0;  // Of the field block that is being received.
  TimePoint block_since_ = TimePoint::max();
  TimePoint idle_since_;
  const char* flood_ = nullptr;  // What there was too much of.
  bool protocol_error_ = false;
  bool settings_sent_ = false;
  bool heard_ = false;  // The client's preface and its SETTINGS.
  bool batch_full_ = false;
  bool changed_ = false;  // One that waits may be ready.
  bool calling_ = false;  // CallWaiters() is posted.
  bool blocked_ = false;  // The socket takes no more for now.
  bool going_away_ = false;
  bool lost_ = false;
  bool ending_ = false;      // All was said.
  bool terminated_ = false;  // By a flood.
  Executor::TimerId timer_ = 0;
  TimePoint timer_due_;
};

}  // namespace weir
