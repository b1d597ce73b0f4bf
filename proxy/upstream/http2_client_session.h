// The HTTP/2 of one connection to the API server: nghttp2, the streams, its life and its end.
//
//   made ─▶ ready (SETTINGS came) ─▶ usable ──▶ retired: no new streams, those that run go on
//                                       │          ▲ GOAWAY · new credentials · a minute idle ·
//                                       │          │ its number of streams is used up
//                                       └──▶ lost: all streams end, with Unavailable
//
// Thread-affine. Shared by its streams, the pool, and the coroutine that reads (Run()).
//
// Bounds: streams as the API server lets it, at most Limits::streams, those that were cancelled
// counted a second longer, as upstream's handlers may go on for a while; frames to be sent, 128
// KiB; what streams have unread (http2_client_stream.h). A peer that sends more than a thousand
// frames at once, and 100 a second, that carry nothing is lost.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "proxy/net/signal.h"
#include "proxy/upstream/http2_client_stream.h"
#include "proxy/upstream/open_upstream.h"

struct nghttp2_session;

namespace weir {

class Http2ClientSession final : private Endpoints::Member,
                                 public std::enable_shared_from_this<Http2ClientSession> {
 public:
  struct Limits {
    size_t streams = 100;
    // A connection with streams on which nothing came for so long is asked for a sign of life, and
    // lost where none comes: as client-go's.
    Duration ping_after = std::chrono::seconds(30);
    Duration ping_timeout = std::chrono::seconds(15);
    Duration idle = std::chrono::seconds(60);  // Upstream closes idle ones after 90.
  };

  // `opened` speaks HTTP/2.
  Http2ClientSession(OpenedUpstream opened, Upstream& upstream, size_t endpoint,
                     const Limits& limits);
  ~Http2ClientSession() override;
  Http2ClientSession(const Http2ClientSession&) = delete;
  Http2ClientSession& operator=(const Http2ClientSession&) = delete;

  // Says hello, and reads until the connection's end. Spawned once.
  static Async<void> Run(std::shared_ptr<Http2ClientSession> self);
  // Until the peer's SETTINGS have come. Unavailable, DeadlineExceeded: it is lost.
  Async<Status> AwaitReady(TimePoint deadline);

  // New streams may be begun on it; whether there is a place for one now.
  bool usable() const { return !retired_ && !lost_; }
  bool HasRoom();
  // How many streams there may be.
  size_t room() const;
  // Made with the credentials that are in use now.
  bool current() const { return generation_ == upstream_.generation(); }
  // Something was answered on it.
  bool has_answered() const { return answered_; }
  TimePoint opened_at() const { return opened_at_; }
  // Takes what has arrived meanwhile: an idle connection may be gone.
  void Poll();
  // Ends with its last stream, or now.
  void Retire();
  // Called once, when it is usable no more.
  absl::AnyInvocable<void()> on_unusable;

  // For streams.
  Worker& worker() const { return stream_->worker(); }
  void TakePlace() { ++begun_; }
  // Unavailable: it is usable no more.
  Status Submit(Http2ClientStream& stream, const http::RequestHead& head, bool body);
  void Resume(Http2ClientStream& stream);
  void Consume(const Http2ClientStream& stream, size_t bytes);
  // Nobody wants it any more: cancelled, where it is not over.
  void Leave(Http2ClientStream& stream);

  // For nghttp2's callbacks (http2_client_callbacks.cc); they only record.
  Http2ClientStream* Find(int32_t id) const;
  // False: there were too many of those that carry nothing.
  bool OnFrameBegins(bool carries);
  void OnSettings();
  void OnGoAway(uint32_t code);
  void OnHeadersEnd(int32_t id, bool end_stream);
  void OnData(int32_t id, std::string_view bytes);
  void OnMalformed(int32_t id);
  void OnStreamClosed(int32_t id, uint32_t code);
  // False: no more in this pass.
  bool AddData(std::string_view head, Http2ClientStream& stream, size_t size);

 private:
  void OnEndpointDead() override;
  void Hello();
  // False: the connection is over.
  bool Receive(std::string_view bytes);
  void Pump();
  bool MakeFrames();
  // Once for all that is submitted in this turn.
  void PumpSoon();
  static Async<void> AwaitDrained(std::shared_ptr<Http2ClientSession> self);
  // Sends its last words, where it has nothing else to do.
  void EndIfOver();
  void Break(const Http2ClientStream::End& end);
  // Those whose heads are not out, where there may be fewer streams than was thought.
  void GiveUpUnsent();
  void TellUnusable();
  void WatchTheClock();
  void OnClock();
  TimePoint due() const;

  Upstream& upstream_;
  const size_t endpoint_;
  const uint64_t generation_;
  const Limits limits_;
  const std::unique_ptr<Stream> stream_;
  nghttp2_session* session_ = nullptr;
  const TimePoint opened_at_;
  Signal ready_signal_;

  // Those that nghttp2 has; null: cancelled, but not yet said so.
  absl::flat_hash_map<int32_t, Http2ClientStream*> streams_;
  size_t begun_ = 0;  // Have a place, and no head yet.
  std::deque<TimePoint> cancels_;

  std::string* out_ = nullptr;  // While nghttp2 makes frames.
  bool out_full_ = false;
  TimePoint last_frame_;
  TimePoint ping_due_ = TimePoint::max();  // When a sign of life must have come.
  TimePoint idle_since_;
  TimePoint empty_since_;  // Of the frames that carry nothing, and how many count.
  uint64_t empty_frames_ = 0;
  Executor::TimerId timer_ = 0;
  TimePoint timer_due_;
  bool ready_ = false;
  bool answered_ = false;
  bool blocked_ = false;  // The socket takes no more for now.
  bool pumping_ = false;  // PumpSoon() is posted.
  bool retired_ = false;
  bool terminated_ = false;
  bool lost_ = false;
  bool settings_changed_ = false;
};

}  // namespace weir
