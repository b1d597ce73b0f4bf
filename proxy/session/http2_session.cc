#include "proxy/session/http2_session.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/http2_callbacks.h"
#include "proxy/session/identity_headers.h"

namespace weir {

namespace {

// As kube-apiserver announces them.
constexpr uint32_t kMaxFrameBytes = 256 * 1024;
constexpr uint32_t kStreamWindow = 256 * 1024;
constexpr uint32_t kHeaderTableBytes = 4096;
constexpr uint32_t kDefaultStreams = 100;
// What a field counts beside its bytes (RFC 7541 §4.1).
constexpr uint32_t kFieldOverhead = 32;

http::HeadLimits LimitsOf(const Config& config) {
  http::HeadLimits limits;
  limits.max_head_bytes = config.max_header_bytes;
  limits.max_target_bytes = config.max_url_bytes;
  limits.max_fields = config.max_header_fields;
  return limits;
}

bool IsConnectionSpecific(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames = {
      "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view specific) {
    return http::EqualsIgnoreCase(name, specific);
  });
}

// No two answers share an Audit-Id: kept in the table of fields it would fill 4 KiB at both ends of
// every connection, and push out what comes again.
nghttp2_nv FieldOf(std::string_view name, std::string_view value) {
  const bool unique = http::EqualsIgnoreCase(name, "audit-id");
  const auto bytes = [](std::string_view text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  const uint8_t flags = unique ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

// Of `chance`, once.
bool Happens(double chance) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return chance > 0 && std::uniform_real_distribution<double>(0, 1)(random) < chance;
}

}  // namespace

Http2Session::Http2Session(std::shared_ptr<ClientConnection> client)
    : none_running(client->service.worker),
      client_(std::move(client)),
      limits_(LimitsOf(*client_->service.shared.config)),
      max_streams_(client_->service.shared.config->http2_max_streams_per_connection > 0
                       ? client_->service.shared.config->http2_max_streams_per_connection
                       : kDefaultStreams),
      entry_(client_->service.http2_roll, *this),
      guard_(worker().Now()),
      idle_since_(worker().Now()) {
  session_ = NewHttp2ServerSession(*this);
  client_->service.http2_sessions.insert(this);
  ProcessMetrics().http2_connections.Add();
  SubmitSettings();
}

Http2Session::~Http2Session() {
  client_->service.http2_sessions.erase(this);
  client_->service.flushes.Remove(*this);
  worker().Cancel(timer_);
  ProcessMetrics().http2_connections.Sub();
  ProcessMetrics().http2_streams.Sub(static_cast<int64_t>(streams_.size()));
  nghttp2_session_del(session_);
}

void Http2Session::SubmitSettings() {
  const auto list_bytes = static_cast<uint32_t>(
      limits_.max_head_bytes + limits_.max_fields * static_cast<size_t>(kFieldOverhead));
  const std::array<nghttp2_settings_entry, 6> settings = {{
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrameBytes},
      // nghttp2 would end the connection over one stream too many, where the others are innocent:
      // it is told of no limit, and the client of ours (PatchSettings).
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, NGHTTP2_MAX_WINDOW_SIZE},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, list_bytes},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, kHeaderTableBytes},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  }};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  const uint64_t window = uint64_t{kStreamWindow} * max_streams_;
  nghttp2_session_set_local_window_size(
      session_, NGHTTP2_FLAG_NONE, 0,
      static_cast<int32_t>(std::min<uint64_t>(window, NGHTTP2_MAX_WINDOW_SIZE)));
}

// Puts the real bound into the SETTINGS frame that is about to go out.
void Http2Session::PatchSettings(std::string& frame) const {
  constexpr size_t kFrameHead = 9;
  constexpr size_t kEntry = 6;
  for (size_t at = kFrameHead; at + kEntry <= frame.size(); at += kEntry) {
    if (frame[at] != 0 || frame[at + 1] != NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS) continue;
    for (size_t i = 0; i < 4; ++i)
      frame[at + 2 + i] = static_cast<char>((max_streams_ >> (24 - 8 * i)) & 0xff);
  }
}

bool Http2Session::Receive(std::string_view bytes) {
  if (lost_ || ending_) return true;
  if (!ScanHeads(bytes)) return EndWithFlood(), false;
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  const ssize_t taken = nghttp2_session_mem_recv(session_, data, bytes.size());
  SettleClosed();
  if (taken == NGHTTP2_ERR_FLOODED) flood_ = "acknowledgements";
  if (taken == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS) flood_ = "continuations";
  if (flood_ != nullptr) return EndWithFlood(), false;
  const bool broken = taken < 0 && taken != NGHTTP2_ERR_BAD_CLIENT_MAGIC;
  if (broken || protocol_error_) {
    entry_.End();
    nghttp2_session_terminate_session(
        session_, protocol_error_ ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_INTERNAL_ERROR);
  }
  heard_ = taken >= 0;
  return heard_ && !protocol_error_;
}

void Http2Session::EndWithFlood() {
  if (std::exchange(terminated_, true)) return;
  entry_.End();
  ProcessMetrics().http2_floods.Add();
  Log(LogLevel::kInfo, "Ending an HTTP/2 connection that asks too much",
      {{"srcIP", client_->address}, {"of", flood_}});
  nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

std::vector<std::shared_ptr<Http2Stream>> Http2Session::TakeNew() {
  return std::exchange(new_, {});
}

void Http2Session::GoAway() {
  if (std::exchange(going_away_, true) || lost_) return;
  entry_.Leave();
  ProcessMetrics().http2_goaways.Add();
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

bool Http2Session::finished() const {
  return lost_ || (!blocked_ && held_.empty() && nghttp2_session_want_read(session_) == 0 &&
                   nghttp2_session_want_write(session_) == 0);
}

TimePoint Http2Session::due() const {
  TimePoint due = TimePoint::max();
  if (!heard_) due = idle_since_ + ClientConnection::kFirstByteTimeout;
  if (block_since_ != TimePoint::max())
    due = std::min(due, block_since_ + client_->service.shared.config->read_header_timeout);
  if (streams_.empty() && running == 0)
    due = std::min(due, idle_since_ + ClientConnection::kIdleTimeout);
  return due;
}

void Http2Session::WatchTheClock() {
  const TimePoint next = due();
  if (lost_ || next == TimePoint::max() || (timer_ != 0 && timer_due_ <= next)) return;
  worker().Cancel(timer_);
  timer_due_ = next;
  timer_ = worker().After(next - worker().Now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnClock();
  });
}

void Http2Session::OnClock() {
  timer_ = 0;
  if (lost_) return;
  if (worker().Now() < due()) return WatchTheClock();
  if (!heard_ || block_since_ != TimePoint::max()) return Break();
  GoAway();
  Pump();
}

void Http2Session::OnHandlerEnded() {
  if (--running > 0) return;
  none_running.Notify();
  idle_since_ = worker().Now();
  WatchTheClock();
}

// As kube-apiserver: whoever is nobody (its mitigation of CVE-2023-44487), and now and then anybody
// (--goaway-chance), is to come back on another connection. GOAWAY goes before the answer. A 401
// tells nothing of whoever came with a certificate: it is that of a server behind the API server,
// and of a front proxy's connection one user's answer must not be the end.
void Http2Session::BeforeAnswer(const Http2Stream& stream, int status) {
  if (going_away_) return;
  const ServiceShared& shared = client_->service.shared;
  using Kind = Credentials::Kind;
  const Kind kind =
      shared.authenticator.Inspect(client_->certificate, stream.request().headers).kind;
  const bool nobody = kind == Kind::kNone || kind == Kind::kRejected ||
                      (status == 401 && kind != Kind::kCertificate);
  if (nobody || shared.closing.load() || Happens(shared.config->goaway_chance)) return GoAway();
  entry_.Join();
}

void Http2Session::SubmitHead(Http2Stream& stream, int status, const http::HeaderList& headers,
                              bool interim, bool end) {
  thread_local std::vector<nghttp2_nv> fields;
  fields.clear();
  const std::string code = std::to_string(status);
  fields.push_back(FieldOf(":status", code));
  for (const http::Header& line : headers.lines())
    if (!IsConnectionSpecific(line.name)) fields.push_back(FieldOf(line.name, line.value));
  if (interim) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.id(), nullptr, fields.data(),
                           fields.size(), nullptr);
    return;
  }
  const nghttp2_data_provider body = Http2BodyOf(stream);
  nghttp2_submit_response(session_, stream.id(), fields.data(), fields.size(),
                          end ? nullptr : &body);
}

void Http2Session::SubmitTrailers(Http2Stream& stream) {
  std::vector<nghttp2_nv> fields;
  for (const http::Header& line : stream.answer_trailers()->lines())
    fields.push_back(FieldOf(line.name, line.value));
  nghttp2_submit_trailer(session_, stream.id(), fields.data(), fields.size());
}

void Http2Session::Resume(Http2Stream& stream) {
  if (std::exchange(stream.deferred, false)) nghttp2_session_resume_data(session_, stream.id());
}

void Http2Session::Reset(int32_t stream, uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream, code);
}

void Http2Session::Consume(const Http2Stream& stream, size_t bytes) {
  if (!lost_) nghttp2_session_consume(session_, stream.id(), bytes);
}

size_t Http2Session::WindowOf(const Http2Stream& stream) const {
  const int32_t of_stream = nghttp2_session_get_stream_remote_window_size(session_, stream.id());
  const int32_t of_all = nghttp2_session_get_remote_window_size(session_);
  return static_cast<size_t>(std::max(0, std::min(of_stream, of_all)));
}

void Http2Session::AddKept(int64_t bytes) {
  kept_ = static_cast<size_t>(static_cast<int64_t>(kept_) + bytes);
  ProcessMetrics().unsent_bytes.Add(bytes);
}

std::shared_ptr<const http::HeaderList> Http2Session::ShareCredentials(
    const http::HeaderList& headers) {
  http::HeaderList lines = CredentialLines(headers, *client_->service.shared.identity_headers);
  if (lines.lines().empty()) return nullptr;
  std::shared_ptr<const http::HeaderList> shared = credentials_.lock();
  if (shared == nullptr || *shared != lines) {
    shared = std::make_shared<const http::HeaderList>(std::move(lines));
    credentials_ = shared;
  }
  return shared;
}

void Http2Session::AddWaiting(const std::shared_ptr<Http2Stream>& stream) {
  if (!std::exchange(stream->waiting, true)) waiting_.push_back(stream);
}

void Http2Session::CallWaitersSoon() {
  if (waiting_.empty()) changed_ = false;
  if (!changed_ || std::exchange(calling_, true)) return;
  worker().Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->CallWaiters();
  });
}

void Http2Session::CallWaiters() {
  calling_ = changed_ = false;
  std::vector<std::weak_ptr<Http2Stream>> waiting = std::exchange(waiting_, {});
  for (std::weak_ptr<Http2Stream>& each : waiting) {
    const std::shared_ptr<Http2Stream> stream = each.lock();
    if (stream == nullptr) continue;
    if (stream->IsReady()) {
      stream->waiting = false;
      stream->CallWaiters();
    } else {
      waiting_.push_back(std::move(each));
    }
  }
}

void Http2Session::SettleClosed() {
  for (const std::shared_ptr<Http2Stream>& stream : std::exchange(closed_, {})) {
    const size_t unread = stream->OnClosed();
    if (unread > 0 && !lost_) nghttp2_session_consume_connection(session_, unread);
  }
  CallWaitersSoon();
}

void Http2Session::Lost() {
  if (std::exchange(lost_, true)) return;
  entry_.End();
  ProcessMetrics().http2_streams.Sub(static_cast<int64_t>(streams_.size()));
  for (auto& [id, stream] : streams_) closed_.push_back(std::move(stream));
  streams_.clear();
  new_.clear();
  changed_ = true;
  SettleClosed();
}

}  // namespace weir
