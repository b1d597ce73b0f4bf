#include "proxy/upstream/http2_client_session.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/upstream/http2_client_callbacks.h"

namespace weir {

namespace {

constexpr size_t kReadBytes = size_t{64} << 10;
constexpr int kReadsPerTurn = 4;
constexpr uint32_t kMaxFrameBytes = 64 * 1024;
constexpr uint32_t kStreamWindow = 256 * 1024;
constexpr int32_t kConnectionWindow = 4 * 1024 * 1024;
// 256 KiB, and 32 for each of 1,024 fields (RFC 7541 §4.1).
constexpr uint32_t kMaxHeadListBytes = 256 * 1024 + 1024 * 32;
// How long upstream may be busy with what was cancelled.
constexpr Duration kCancelCounts = std::chrono::seconds(1);
constexpr uint64_t kEmptyFrames = 1000;
constexpr Duration kEmptyFrameEach = std::chrono::milliseconds(10);

using End = Http2ClientStream::End;

End Lost(Status failure) {
  End end;
  end.failure = std::move(failure);
  end.lost = true;
  return end;
}

}  // namespace

Http2ClientSession::Http2ClientSession(OpenedUpstream opened, Upstream& upstream, size_t endpoint,
                                       const Limits& limits)
    : upstream_(upstream),
      endpoint_(endpoint),
      generation_(opened.generation),
      limits_(limits),
      stream_(std::move(opened.stream)),
      session_(NewHttp2ClientSession(*this)),
      opened_at_(worker().Now()),
      ready_signal_(worker()),
      last_frame_(opened_at_),
      idle_since_(opened_at_),
      empty_since_(opened_at_) {
  ProcessMetrics().upstream_connections.Add();
  ProcessMetrics().upstream_http2_connections.Add();
  upstream_.endpoints().Join(endpoint_, worker(), *this);
}

Http2ClientSession::~Http2ClientSession() {
  worker().Cancel(timer_);
  upstream_.endpoints().Leave(*this);
  ProcessMetrics().upstream_http2_streams.Sub(static_cast<int64_t>(streams_.size()));
  ProcessMetrics().upstream_http2_connections.Sub();
  ProcessMetrics().upstream_connections.Sub();
  nghttp2_session_del(session_);
}

void Http2ClientSession::Hello() {
  const std::array<nghttp2_settings_entry, 5> settings = {{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrameBytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeadListBytes},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  Pump();
}

Async<void> Http2ClientSession::Run(std::shared_ptr<Http2ClientSession> self) {
  thread_local std::vector<char> buffer(kReadBytes);
  self->Hello();
  int unwaited = 0;
  while (!self->lost_) {
    bool end = false;
    const StatusOr<size_t> got = self->stream_->ReadNow(buffer.data(), buffer.size(), end);
    if (!got.ok() || end) {
      self->Break(Lost(Unavailable("the API server closed the connection")));
      break;
    }
    if (*got == 0) {
      unwaited = 0;
      co_await self->stream_->WaitReadable();
      continue;
    }
    if (!self->Receive(std::string_view(buffer.data(), *got))) break;
    if (++unwaited < kReadsPerTurn) continue;
    unwaited = 0;
    co_await net::post(self->worker().io(), net::use_awaitable_t<IoExecutor>());
  }
}

void Http2ClientSession::Poll() {
  if (!streams_.empty() || lost_) return;
  thread_local std::vector<char> buffer(kReadBytes);
  const auto self = shared_from_this();
  for (int i = 0; i < kReadsPerTurn && !lost_; ++i) {
    bool end = false;
    const StatusOr<size_t> got = stream_->ReadNow(buffer.data(), buffer.size(), end);
    if (!got.ok() || end) return Break(Lost(Unavailable("the API server closed the connection")));
    if (*got == 0) return;
    Receive(std::string_view(buffer.data(), *got));
  }
}

Async<Status> Http2ClientSession::AwaitReady(TimePoint deadline) {
  while (!ready_ && !lost_) {
    const bool notified = co_await ready_signal_.Wait(deadline);
    if (!notified) Break(Lost(Unavailable("too slow")));
  }
  if (ready_ && !lost_) co_return OkStatus();
  const std::string text =
      fmt::format("HTTP/2 with {}: no SETTINGS", upstream_.authority(endpoint_));
  ProcessMetrics().upstream_failures.Add();
  upstream_.endpoints().NoteFailure(endpoint_, worker().Now());
  upstream_.ReportFailed(endpoint_, text);
  co_return Unavailable(text);
}

size_t Http2ClientSession::room() const {
  const uint32_t theirs =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return std::min<size_t>(limits_.streams, theirs);
}

bool Http2ClientSession::HasRoom() {
  const TimePoint since = worker().Now() - kCancelCounts;
  while (!cancels_.empty() && cancels_.front() <= since) cancels_.pop_front();
  return usable() && streams_.size() + begun_ + cancels_.size() < room();
}

void Http2ClientSession::TellUnusable() {
  if (on_unusable) std::exchange(on_unusable, nullptr)();
}

void Http2ClientSession::Retire() {
  const auto self = shared_from_this();
  if (!std::exchange(retired_, true)) TellUnusable();
  EndIfOver();
}

bool Http2ClientSession::Receive(std::string_view bytes) {
  upstream_.endpoints().NoteHeard(endpoint_, worker().Now());
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const ssize_t taken = nghttp2_session_mem_recv(session_, data, bytes.size());
  if (taken < 0) {
    Log(LogLevel::kWarning, "Ending an HTTP/2 connection with the API server",
        {{"server", upstream_.authority(endpoint_)},
         {"err", nghttp2_strerror(static_cast<int>(taken))}});
    Break(Lost(InvalidArgument("the API server's HTTP/2 is malformed")));
    return false;
  }
  if (std::exchange(settings_changed_, false)) GiveUpUnsent();
  Pump();
  WatchTheClock();
  return !lost_;
}

void Http2ClientSession::GiveUpUnsent() {
  End unsent;
  unsent.failure = Unavailable("the API server lets in fewer streams");
  unsent.unprocessed = true;
  std::vector<Http2ClientStream*> over;
  for (const auto& [id, stream] : streams_)
    if (stream != nullptr && !stream->head_sent) over.push_back(stream);
  for (Http2ClientStream* const stream : over) {
    if (streams_.size() <= room()) break;
    Leave(*stream);
    stream->OnClosed(unsent);
  }
}

Status Http2ClientSession::Submit(Http2ClientStream& stream, const http::RequestHead& head,
                                  bool body) {
  if (std::exchange(stream.has_place, false)) --begun_;
  if (lost_ || terminated_) return Unavailable("the API server's connection is closing");
  const std::string authority = upstream_.authority(endpoint_);
  const std::string path = upstream_.url(endpoint_).prefix + head.target;
  const std::string length = std::to_string(head.body.length);
  const std::vector<nghttp2_nv> fields = Http2RequestFields(head, authority, path, length);
  const nghttp2_data_provider provider = Http2RequestBody();
  const int32_t id = nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(),
                                            body ? &provider : nullptr, nullptr);
  if (id < 0) {
    Retire();
    return Unavailable(fmt::format("no stream for it: {}", nghttp2_strerror(id)));
  }
  if (streams_.empty()) {  // What was before says nothing of what it is like now.
    last_frame_ = worker().Now();
    ping_due_ = TimePoint::max();
  }
  stream.SetId(id);
  streams_.emplace(id, &stream);
  ProcessMetrics().upstream_http2_streams.Add();
  PumpSoon();
  WatchTheClock();
  return OkStatus();
}

void Http2ClientSession::Resume(Http2ClientStream& stream) {
  if (lost_ || Find(stream.id()) != &stream) return;
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.id());
  PumpSoon();
}

void Http2ClientSession::Consume(const Http2ClientStream& stream, size_t bytes) {
  if (lost_ || Find(stream.id()) != &stream) return;
  nghttp2_session_consume_stream(session_, stream.id(), bytes);
  PumpSoon();
}

void Http2ClientSession::Leave(Http2ClientStream& stream) {
  if (std::exchange(stream.has_place, false)) {
    --begun_;
    if (retired_) EndIfOver();
  }
  if (lost_) return;
  const auto found = streams_.find(stream.id());
  if (found == streams_.end() || found->second != &stream) return;
  found->second = nullptr;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id(), NGHTTP2_CANCEL);
  PumpSoon();
}

Http2ClientStream* Http2ClientSession::Find(int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

bool Http2ClientSession::OnFrameBegins(bool carries) {
  last_frame_ = worker().Now();
  ping_due_ = TimePoint::max();
  if (carries) return true;
  const auto back = static_cast<uint64_t>((last_frame_ - empty_since_) / kEmptyFrameEach);
  empty_since_ += kEmptyFrameEach * static_cast<int64_t>(back);
  empty_frames_ -= std::min(empty_frames_, back);
  return ++empty_frames_ <= kEmptyFrames;
}

void Http2ClientSession::OnSettings() {
  settings_changed_ = true;
  if (!std::exchange(ready_, true)) ready_signal_.Notify();
}

void Http2ClientSession::OnGoAway(uint32_t code) {
  ProcessMetrics().upstream_http2_goaways.Add();
  if (code != NGHTTP2_NO_ERROR) {
    Log(LogLevel::kWarning, "The API server ends an HTTP/2 connection",
        {{"server", upstream_.authority(endpoint_)}, {"err", nghttp2_http2_strerror(code)}});
  }
  if (!std::exchange(retired_, true)) TellUnusable();
}

void Http2ClientSession::OnHeadersEnd(int32_t id, bool end_stream) {
  Http2ClientStream* const stream = Find(id);
  if (stream == nullptr) return;
  if (!stream->OnHeadersEnd(end_stream)) return OnMalformed(id);
  answered_ = true;
  upstream_.ReportReached(endpoint_);
}

void Http2ClientSession::OnData(int32_t id, std::string_view bytes) {
  // One reader who is slow must not stop the others.
  nghttp2_session_consume_connection(session_, bytes.size());
  if (Http2ClientStream* const stream = Find(id); stream != nullptr) stream->OnBody(bytes);
}

void Http2ClientSession::OnMalformed(int32_t id) {
  Http2ClientStream* const stream = Find(id);
  if (stream == nullptr) return;
  stream->OnMalformed();
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_PROTOCOL_ERROR);
}

void Http2ClientSession::OnStreamClosed(int32_t id, uint32_t code) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return;
  Http2ClientStream* const stream = found->second;
  streams_.erase(found);
  ProcessMetrics().upstream_http2_streams.Sub();
  idle_since_ = worker().Now();
  if (stream == nullptr) return cancels_.push_back(idle_since_);
  End end;
  end.unprocessed = code == NGHTTP2_REFUSED_STREAM;
  if (end.unprocessed) ProcessMetrics().upstream_http2_refused.Add();
  end.failure =
      Unavailable(fmt::format("the API server reset the stream: {}", nghttp2_http2_strerror(code)));
  stream->OnClosed(end);
}

void Http2ClientSession::OnEndpointDead() {
  const auto self = shared_from_this();
  End end = Lost(Unavailable("the API server does not answer any more"));
  end.abandoned = true;
  Break(end);
}

void Http2ClientSession::Break(const End& end) {
  if (std::exchange(lost_, true)) return;
  stream_->Cut();
  worker().Cancel(std::exchange(timer_, 0));
  ProcessMetrics().upstream_http2_streams.Sub(static_cast<int64_t>(streams_.size()));
  End unsent = end;
  unsent.unprocessed = true;
  for (const auto& [id, stream] : std::exchange(streams_, {}))
    if (stream != nullptr) stream->OnClosed(stream->head_sent ? end : unsent);
  ready_signal_.Notify();
  TellUnusable();
}

// The earlier of what it waits for: a sign of life, or the end of its leisure.
TimePoint Http2ClientSession::due() const {
  if (lost_) return TimePoint::max();
  if (streams_.empty()) return begun_ == 0 ? idle_since_ + limits_.idle : TimePoint::max();
  return ping_due_ != TimePoint::max() ? ping_due_ : last_frame_ + limits_.ping_after;
}

void Http2ClientSession::WatchTheClock() {
  const TimePoint next = due();
  if (next == TimePoint::max() || (timer_ != 0 && timer_due_ <= next)) return;
  worker().Cancel(timer_);
  timer_due_ = next;
  timer_ = worker().After(next - worker().Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnClock();
  });
}

void Http2ClientSession::OnClock() {
  timer_ = 0;
  const TimePoint now = worker().Now();
  if (now < due()) return WatchTheClock();
  if (streams_.empty()) return Retire();
  if (ping_due_ != TimePoint::max()) {
    const std::string text = upstream_.authority(endpoint_) + " does not answer any more";
    upstream_.endpoints().NoteFailure(endpoint_, now);
    upstream_.ReportFailed(endpoint_, text);
    return Break(Lost(Unavailable(text)));
  }
  ping_due_ = now + limits_.ping_timeout;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  Pump();
  WatchTheClock();
}

}  // namespace weir
