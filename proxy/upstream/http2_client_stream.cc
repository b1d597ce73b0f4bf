#include "proxy/upstream/http2_client_stream.h"

#include <utility>

#include "proxy/upstream/http2_client_session.h"

namespace weir {

namespace {

using Kind = http::BodyFraming::Kind;
// As many as Go's client takes in a row, and more.
constexpr size_t kMaxInterimHeads = 64;

Status TakesNoMore() { return Unavailable("the API server takes no more of the request"); }

}  // namespace

Http2ClientStream::Http2ClientStream(std::shared_ptr<Http2ClientSession> session,
                                     std::shared_ptr<ProvenTokens> tokens, uint64_t bearer)
    : session_(std::move(session)),
      tokens_(std::move(tokens)),
      bearer_(bearer),
      kept_(session_->has_answered()),
      received_(session_->worker()) {
  session_->TakePlace();
}

Http2ClientStream::~Http2ClientStream() {
  session_->worker().Cancel(deadline_);
  session_->Leave(*this);
}

Async<Status> Http2ClientStream::SendHead(http::RequestHead head) {
  if (closed_) co_return Failure();
  method_ = head.method;
  sending_ = head.body;
  to_send_ = sending_.length;
  sent_ = sending_.kind == Kind::kNone || (sending_.kind == Kind::kLength && to_send_ == 0);
  End end;
  end.failure = session_->Submit(*this, head, /*body=*/!sent_);
  end.unprocessed = !end.failure.ok();
  if (end.unprocessed) OnClosed(end);
  co_return end.failure;
}

Async<Status> Http2ClientStream::SendBody(std::string_view piece) {
  if (piece.empty()) co_return OkStatus();
  if (sending_.kind == Kind::kLength) {
    if (piece.size() > to_send_) co_return Internal("more body than its length");
    to_send_ -= piece.size();
    sent_ = to_send_ == 0;
  }
  if (!closed_) {
    pending_ = piece;
    session_->Resume(*this);
    if (taken_ == nullptr) taken_ = std::make_unique<Signal>(session_->worker());
    while (!pending_.empty() && !closed_) co_await taken_->Wait();
    if (std::exchange(pending_, {}).empty()) co_return OkStatus();
  }
  co_return failure_.ok() ? TakesNoMore() : failure_;
}

Async<Status> Http2ClientStream::EndBody() {
  if (!std::exchange(sent_, true) && !closed_) session_->Resume(*this);
  co_return failure_;
}

bool Http2ClientStream::ending() const { return sent_; }

std::string_view Http2ClientStream::Take(size_t size) {
  const std::string_view taken = pending_.substr(0, size);
  pending_.remove_prefix(size);
  if (pending_.empty() && taken_ != nullptr) taken_->Notify();
  return taken;
}

Async<StatusOr<http::ResponseHead>> Http2ClientStream::ReadHead(std::string_view,
                                                                Duration timeout) {
  SetDeadline(timeout == Duration(0) ? TimePoint::max() : session_->worker().Now() + timeout);
  while (heads_.empty() && !closed_) co_await received_.Wait();
  SetDeadline(TimePoint::max());
  if (heads_.empty()) co_return Failure();
  http::ResponseHead head = std::move(heads_.front());
  heads_.pop_front();
  co_return head;
}

// The stream's window opens again by what the reader is through with.
void Http2ClientStream::GiveBack() {
  if (const std::string done = std::exchange(handed_out_, {}); !done.empty() && !closed_)
    session_->Consume(*this, done.size());
}

StatusOr<std::string_view> Http2ClientStream::ReadBodyNow() {
  GiveBack();
  if (!body_.empty()) {
    handed_out_ = std::exchange(body_, {});
    return std::string_view(handed_out_);
  }
  if (closed_ && !body_ended_) return Failure();
  return std::string_view();
}

Async<StatusOr<std::string_view>> Http2ClientStream::ReadBody() {
  for (;;) {
    StatusOr<std::string_view> piece = ReadBodyNow();
    if (!piece.ok() || !piece->empty() || body_done()) co_return piece;
    co_await received_.Wait();
  }
}

Status Http2ClientStream::Failure() const {
  return failure_.ok() ? Unavailable("the API server ended the stream") : failure_;
}

void Http2ClientStream::SetDeadline(TimePoint deadline) {
  Worker& worker = session_->worker();
  worker.Cancel(std::exchange(deadline_, 0));
  if (deadline == TimePoint::max() || closed_) return;
  deadline_ = worker.After(deadline - worker.Now(), [this] {
    deadline_ = 0;
    Fail(DeadlineExceeded("the peer was too slow"));
  });
}

void Http2ClientStream::Abort() { Fail(Cancelled("connection closed")); }

void Http2ClientStream::Fail(Status failure) {
  if (closed_) return;
  End end;
  end.failure = std::move(failure);
  session_->Leave(*this);
  std::string().swap(body_);
  body_ended_ = false;
  OnClosed(end);
}

void Http2ClientStream::OnHeadBegins() {
  if (!head_done_) builder_ = std::make_unique<Http2AnswerBuilder>();
}

bool Http2ClientStream::OnField(std::string_view name, std::string_view value) {
  if (builder_ != nullptr) {
    builder_->Add(name, value);  // It tells at its end.
    return true;
  }
  if (!trailer_bounds_.Admits(name, value)) return OnMalformed(), false;
  trailers_.Add(name, value);
  return true;
}

bool Http2ClientStream::OnHeadersEnd(bool end_stream) {
  if (malformed_) return false;
  if (builder_ != nullptr) {
    StatusOr<http::ResponseHead> head = builder_->Finish(method_, end_stream);
    builder_.reset();
    head_done_ = head.ok() && head->status >= 200;
    if (!head.ok() || (!head_done_ && ++interim_heads_ > kMaxInterimHeads)) {
      if (failure_.ok() && !head.ok()) failure_ = head.status();
      return OnMalformed(), false;
    }
    if (tokens_ != nullptr) tokens_->Note(bearer_, head->status);
    heads_.push_back(*std::move(head));
  }
  if (end_stream) OnEnd();
  received_.Notify();
  return true;
}

void Http2ClientStream::OnBody(std::string_view bytes) {
  body_.append(bytes);
  received_.Notify();
}

void Http2ClientStream::OnEnd() {
  body_ended_ = true;
  received_.Notify();
}

void Http2ClientStream::OnMalformed() {
  malformed_ = true;
  if (failure_.ok()) failure_ = InvalidArgument("malformed answer of the API server");
}

void Http2ClientStream::OnClosed(const End& end) {
  if (std::exchange(closed_, true)) return;
  const bool complete = body_ended_ && !malformed_;
  if (failure_.ok() && !complete) failure_ = end.failure;
  lost_ = end.lost;
  abandoned_ = end.abandoned;
  unprocessed_ = end.unprocessed && !head_done_ && interim_heads_ == 0;
  if (malformed_) body_ended_ = false;
  session_->worker().Cancel(std::exchange(deadline_, 0));
  received_.Notify();
  if (taken_ != nullptr) taken_->Notify();
}

}  // namespace weir
