#include "proxy/session/http2_stream.h"

#include <algorithm>
#include <utility>

#include "proxy/session/http2_session.h"

namespace weir {

namespace {

Status WasReset() { return Unavailable("the stream was reset"); }

bool HasNoBody(std::string_view method, int status) {
  return method == "HEAD" || status == 204 || status == 304;
}

}  // namespace

Http2Stream::Http2Stream(Http2Session& session, int32_t id, const http::HeadLimits& limits)
    : session_(session),
      id_(id),
      incoming_(
          std::make_unique<Incoming>(limits, *session.client().service.shared.identity_headers)) {}

Http2Stream::~Http2Stream() = default;

const http::RequestHead& Http2Stream::request() const {
  static const http::RequestHead kForgotten;
  return incoming_ != nullptr ? incoming_->head : kForgotten;
}
const CertificateVerdict& Http2Stream::certificate() const { return session_.client().certificate; }
void Http2Stream::RecheckCertificate() { session_.client().RecheckCertificate(); }
const std::string& Http2Stream::peer_address() const { return session_.client().address; }
Worker& Http2Stream::worker() const { return session_.worker(); }

bool Http2Stream::CompleteHead(bool end_stream) {
  auto built = incoming_->builder->Finish(end_stream);
  incoming_->builder.reset();
  body_ended_ = end_stream;
  if (auto* head = std::get_if<http::RequestHead>(&built)) {
    incoming_->head = std::move(*head);
    return true;
  }
  if (auto* error = std::get_if<http::HttpError>(&built)) {
    incoming_->refusal = std::make_unique<http::HttpError>(std::move(*error));
    return true;
  }
  return false;
}

bool Http2Stream::AddTrailer(std::string_view name, std::string_view value) {
  if (incoming_ == nullptr) return true;
  if (!incoming_->trailer_size.Admits(name, value, session_.limits())) return false;
  incoming_->trailers.Add(name, value);
  return true;
}

void Http2Stream::OnBody(std::string_view bytes) {
  if (stopped_ || over_ || incoming_ == nullptr) return session_.Consume(*this, bytes.size());
  incoming_->body.append(bytes);
  NotifyReader();
}

void Http2Stream::OnBodyEnd() {
  body_ended_ = true;
  NotifyReader();
}

void Http2Stream::NotifyReader() {
  if (incoming_ != nullptr && incoming_->signal != nullptr) incoming_->signal->Notify();
}

Async<StatusOr<std::string_view>> Http2Stream::ReadBody() {
  Incoming& in = *incoming_;
  if (const std::string done = std::exchange(in.handed_out, {}); !done.empty() && !closed_) {
    session_.Consume(*this, done.size());
    session_.Pump();
  }
  for (;;) {
    if (closed_ || aborted_) co_return WasReset();
    if (!in.body.empty()) {
      in.handed_out = std::exchange(in.body, {});
      co_return std::string_view(in.handed_out);
    }
    if (body_ended_) co_return std::string_view();
    if (stopped_) co_return Cancelled("nobody reads the rest");
    if (in.signal == nullptr) in.signal = std::make_unique<Signal>(worker());
    co_await in.signal->Wait();
  }
}

// RFC 9113 §8.1: the whole answer was sent, the client may stop.
void Http2Stream::StopReading() {
  stopped_ = true;
  if (!body_ended_ && end_sent_ && !closed_) {
    session_.Reset(id_, NGHTTP2_NO_ERROR);
    session_.Pump();
  }
  NotifyReader();
}

void Http2Stream::CloseAfterwards() { session_.GoAway(); }

Async<Status> Http2Stream::Inform(http::ResponseHead head) {
  if (!CanWrite()) co_return WasReset();
  session_.SubmitHead(*this, head.status, head.headers, /*interim=*/true, /*end=*/false);
  co_return co_await Drain();
}

Status Http2Stream::Start(http::ResponseHead head) {
  using Kind = http::BodyFraming::Kind;
  started_ = true;
  status_ = head.status;
  if (!CanWrite()) return WasReset();
  session_.BeforeAnswer(*this, status_);
  head_only_ = HasNoBody(request().method, status_);
  bool end = head_only_ || head.body.kind == Kind::kNone;
  if (head.body.kind == Kind::kLength && status_ != 204 && status_ != 304) {
    head.headers.Set("Content-Length", std::to_string(head.body.length));
    end = end || head.body.length == 0;
    has_length_ = !end;
    length_left_ = head.body.length;
  }
  session_.SubmitHead(*this, status_, head.headers, /*interim=*/false, end);
  finishing_ = end;
  return OkStatus();
}

bool Http2Stream::Write(std::span<const std::string_view> pieces, size_t bytes) {
  if (!CanWrite()) return false;
  if (bytes == 0 || head_only_) return IsDrained();
  if (finishing_ || (has_length_ && kept_left() + bytes > length_left_)) {
    Abort();  // More than was announced: a client must not take it for an answer.
    return false;
  }
  Given given{pieces, 0, bytes};
  given_ = &given;
  session_.Resume(*this);
  session_.Pump();
  given_ = nullptr;
  if (given.left > 0 && CanWrite()) {
    session_.AddKept(static_cast<int64_t>(given.left));
    if (kept_start_ > 0) kept_.erase(0, std::exchange(kept_start_, 0));
    kept_.reserve(kept_.size() + given.left);
    for (const std::string_view piece : given.pieces)
      kept_.append(piece.substr(std::exchange(given.start, 0)));
  }
  if (session_.kept() > Http2Session::kMaxKept) Abort();
  return Room() > 0;
}

size_t Http2Stream::Room() const { return IsDrained() ? session_.WindowOf(*this) : 0; }

bool Http2Stream::ending() const {
  return finishing_ || (has_length_ && length_left_ == available());
}

void Http2Stream::TakeInto(Http2Batch& batch, size_t bytes) {
  taken_ += bytes;
  if (has_length_) length_left_ -= bytes;
  const size_t kept = std::min(bytes, kept_left());
  batch.AddReference(std::string_view(kept_).substr(kept_start_, kept));
  kept_start_ += kept;
  session_.AddKept(-static_cast<int64_t>(kept));
  bytes -= kept;
  if (bytes == 0) return;
  Given& given = *given_;
  given.left -= bytes;
  while (bytes > 0) {
    const std::string_view piece = given.pieces.front().substr(given.start, bytes);
    batch.AddReference(piece);
    bytes -= piece.size();
    given.start += piece.size();
    if (given.start < given.pieces.front().size()) continue;
    given.pieces = given.pieces.subspan(1);
    given.start = 0;
  }
}

void Http2Stream::ForgetTaken() {
  if (kept_.empty() || kept_left() > 0) return;
  std::string().swap(kept_);
  kept_start_ = 0;
}

bool Http2Stream::IsDrained() const {
  return CanWrite() && kept_left() == 0 && !session_.blocked();
}

bool Http2Stream::IsTaken() const {
  return awaited_ && (!CanWrite() || (IsDrained() && (!finishing_ || end_sent_)));
}

// A window that is closed would leave all that is written to be kept.
bool Http2Stream::IsWritable() const {
  return on_writable_ != nullptr && (!CanWrite() || Room() > 0);
}

Signal& Http2Stream::signal() {
  if (signal_ == nullptr) signal_ = std::make_unique<Signal>(worker());
  return *signal_;
}

void Http2Stream::Wait() {
  session_.AddWaiting(shared_from_this());
  if (IsReady()) session_.Changed();
  session_.CallWaitersSoon();
}

Async<Status> Http2Stream::WaitUntilTaken(bool end) {
  session_.Pump();
  // Nobody may be there for it at the end of the turn.
  if (session_.client().service.shared.closing.load()) session_.FlushNow();
  const Duration stall = session_.client().service.shared.config->write_stall_timeout;
  uint64_t taken = taken_;
  for (;;) {
    if (end && end_sent_ && (closed_ || !session_.blocked())) co_return OkStatus();
    if (!CanWrite()) co_return WasReset();
    if (!end && IsDrained()) co_return OkStatus();
    awaited_ = true;
    Wait();
    const bool notified = co_await signal().Wait(worker().Now() + stall);
    awaited_ = false;
    if (!notified && taken == taken_) {
      Abort();
      co_return DeadlineExceeded("the peer was too slow");
    }
    taken = taken_;
  }
}

Async<Status> Http2Stream::Drain() { co_return co_await WaitUntilTaken(/*end=*/false); }

Async<Status> Http2Stream::Finish(const http::HeaderList& trailers) {
  if (!started_ || (has_length_ && length_left_ > kept_left())) {
    Abort();  // Less than was announced.
    co_return Internal("an answer that is shorter than it says");
  }
  if (!std::exchange(finishing_, true) && !closed_) {
    if (!trailers.lines().empty()) trailers_ = std::make_unique<const http::HeaderList>(trailers);
    session_.Resume(*this);
  }
  co_return co_await WaitUntilTaken(/*end=*/true);
}

void Http2Stream::Abort() {
  if (closed_ || std::exchange(aborted_, true)) return;
  session_.AddKept(-static_cast<int64_t>(kept_left()));
  std::string().swap(kept_);
  kept_start_ = 0;
  session_.Reset(id_, NGHTTP2_INTERNAL_ERROR);
  session_.Pump();
  NotifyReader();
  if (signal_ != nullptr) signal_->Notify();
  if (on_gone_) TellGone();
}

void Http2Stream::OnWritable(absl::AnyInvocable<void()> done) {
  on_writable_ = std::make_unique<absl::AnyInvocable<void()>>(std::move(done));
  Wait();
}

void Http2Stream::OnGone(absl::AnyInvocable<void()> done) {
  on_gone_ = std::move(done);
  if (closed_ && !end_sent_) TellGone();
}

void Http2Stream::TellGone() {
  worker().Post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self != nullptr && self->on_gone_) std::exchange(self->on_gone_, nullptr)();
  });
}

void Http2Stream::CallWaiters() {
  if (IsTaken()) signal().Notify();
  if (IsWritable()) (*std::exchange(on_writable_, nullptr))();
  if (on_writable_ != nullptr) Wait();
}

size_t Http2Stream::OnClosed() {
  closed_ = true;
  session_.AddKept(-static_cast<int64_t>(kept_left()));
  std::string().swap(kept_);
  kept_start_ = 0;
  size_t unread = 0;
  if (incoming_ != nullptr) {
    unread = incoming_->body.size() + incoming_->handed_out.size();
    std::string().swap(incoming_->body);  // What was handed out stays until the reader comes back.
  }
  NotifyReader();
  if (signal_ != nullptr) signal_->Notify();
  if (on_gone_ && !end_sent_) TellGone();
  if (on_writable_ != nullptr) Wait();
  return unread;
}

std::shared_ptr<Exchange> Http2Stream::GoOn() {
  // What came of a body that nobody will read.
  const size_t unread = incoming_->body.size() + incoming_->handed_out.size();
  if (unread > 0 && !closed_) session_.Consume(*this, unread);
  incoming_.reset();
  signal_.reset();
  return shared_from_this();
}

void Http2Stream::EndOngoing() {
  Over();
  session_.OnHandlerEnded();
}

std::shared_ptr<const http::HeaderList> Http2Stream::KeepCredentials() {
  return session_.ShareCredentials(request().headers);
}

void Http2Stream::Over() {
  over_ = true;
  on_writable_ = nullptr;
  on_gone_ = nullptr;
  if (closed_) return;
  if (!end_sent_) return Abort();
  if (body_ended_) return;
  session_.Reset(id_, NGHTTP2_NO_ERROR);
  session_.Pump();
}

}  // namespace weir
