#include "proxy/upstream/upstream_connection.h"

#include <utility>

#include "protocol/http/head.h"
#include "proxy/admin/metrics.h"

namespace weir {

namespace {
constexpr size_t kMaxHeadBytes = 256 * 1024;
}

UpstreamConnection::UpstreamConnection(OpenedUpstream opened, Upstream& upstream,
                                       CredentialClass credential, size_t endpoint)
    : upstream_(upstream),
      credential_(credential),
      endpoint_(endpoint),
      generation_(opened.generation),
      stream_(std::move(opened.stream)),
      reader_(*stream_) {
  ProcessMetrics().upstream_connections.Add();
  upstream_.endpoints().Join(endpoint_, stream_->worker(), *this);
}

UpstreamConnection::~UpstreamConnection() {
  upstream_.endpoints().Leave(*this);
  ProcessMetrics().upstream_connections.Sub();
}

void UpstreamConnection::OnEndpointDead() {
  abandoned_ = true;
  stream_->Cut();
}

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> UpstreamConnection::Open(
    Worker& worker, Upstream& upstream, CredentialClass credential, size_t endpoint,
    TimePoint deadline) {
  StatusOr<OpenedUpstream> opened = co_await OpenUpstream(worker, upstream, credential, endpoint,
                                                          /*offer_http2=*/false, deadline);
  if (!opened.ok()) co_return opened.status();
  co_return std::make_unique<UpstreamConnection>(*std::move(opened), upstream, credential,
                                                 endpoint);
}

Status UpstreamConnection::WhatBroke(Status status) const {
  if (status.ok() || !abandoned_) return status;
  return Unavailable("the API server does not answer any more");
}

void UpstreamConnection::NoteHeard() {
  upstream_.endpoints().NoteHeard(endpoint_, stream_->worker().Now());
}

Async<StatusOr<std::string_view>> UpstreamConnection::ReadBody() {
  StatusOr<std::string_view> piece = co_await reader_.ReadBody();
  if (!piece.ok()) co_return WhatBroke(piece.status());
  if (!piece->empty()) NoteHeard();
  co_return piece;
}

StatusOr<std::string_view> UpstreamConnection::ReadBodyNow() {
  StatusOr<std::string_view> piece = reader_.ReadBodyNow();
  if (piece.ok() && !piece->empty()) NoteHeard();
  return piece;
}

Async<Status> UpstreamConnection::SendHead(http::RequestHead head) {
  ++requests_;
  answered_ = false;
  head.target = upstream_.url(endpoint_).prefix + head.target;
  head.minor_version = 1;
  head.headers.Set("Host", upstream_.authority(endpoint_));
  using Kind = http::BodyFraming::Kind;
  sending_ = head.body;
  to_send_ = sending_.length;
  sent_ = sending_.kind == Kind::kNone || (sending_.kind == Kind::kLength && to_send_ == 0);
  if (sending_.kind == Kind::kLength)
    head.headers.Set("Content-Length", std::to_string(sending_.length));
  if (sending_.kind == Kind::kChunked) head.headers.Set("Transfer-Encoding", "chunked");
  std::string bytes;
  http::AppendRequestHead(head, bytes);
  stream_->Write(bytes);
  co_return WhatBroke(co_await stream_->Flush());
}

Async<Status> UpstreamConnection::SendBody(std::string_view piece) {
  if (piece.empty()) co_return OkStatus();
  if (sending_.kind == http::BodyFraming::Kind::kChunked) {
    char size[18];
    const std::string_view pieces[] = {
        {size, http::WriteChunkHead(piece.size(), size)}, piece, "\r\n"};
    stream_->Write(pieces);
  } else {
    if (piece.size() > to_send_) co_return Internal("more body than its length");
    to_send_ -= piece.size();
    sent_ = to_send_ == 0;
    stream_->Write(piece);
  }
  co_return WhatBroke(co_await stream_->Flush());
}

Async<Status> UpstreamConnection::EndBody() {
  if (!sent_ && sending_.kind == http::BodyFraming::Kind::kChunked) {
    sent_ = true;
    stream_->Write(http::kLastChunk);
  }
  co_return WhatBroke(co_await stream_->Flush());
}

Async<StatusOr<http::ResponseHead>> UpstreamConnection::ReadHead(std::string_view method,
                                                                 Duration timeout) {
  SetDeadline(timeout == Duration(0) ? TimePoint::max() : stream_->worker().Now() + timeout);
  const Duration rest = timeout == Duration(0) ? Duration(std::chrono::seconds(32)) : timeout;
  const StatusOr<std::string_view> bytes = co_await reader_.ReadHead(kMaxHeadBytes, rest);
  SetDeadline(TimePoint::max());
  if (!bytes.ok()) co_return WhatBroke(bytes.status());
  if (bytes->empty()) co_return Unavailable("the API server closed the connection");
  NoteHeard();
  auto parsed = http::ParseResponseHead(*bytes, method);
  if (const auto* error = std::get_if<http::HttpError>(&parsed)) {
    Abort();
    co_return InvalidArgument("malformed answer of the API server: " + error->text);
  }
  http::ResponseHead& head = std::get<http::ResponseHead>(parsed);
  if (head.status >= 200) {
    answered_ = true;
    keep_alive_ = head.keep_alive;
    reader_.BeginBody(head.body);
  }
  upstream_.ReportReached(endpoint_);
  co_return std::move(head);
}

Stream& UpstreamConnection::SwitchProtocols(std::string& received) {
  keep_alive_ = false;
  received = reader_.TakeUnread();
  return *stream_;
}

bool UpstreamConnection::reusable() const {
  return sent_ && answered_ && keep_alive_ && reader_.body_done() && stream_->failure().ok();
}

bool UpstreamConnection::Alive() { return current() && reader_.Poll(1) && reader_.buffered() == 0; }

}  // namespace weir
