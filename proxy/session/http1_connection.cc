#include "proxy/session/http1_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/http/chunked.h"
#include "protocol/http/head.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/http1_reader.h"
#include "proxy/net/signal.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/respond.h"
#include "proxy/session/router.h"

namespace weir {

namespace {

constexpr Duration kLingerTimeout = ClientConnection::kLingerTimeout;
constexpr size_t kMaxPipelined = 64 * 1024;
constexpr size_t kMaxDrained = 256 * 1024;

// What outlives a single request on the connection.
struct Connection {
  explicit Connection(ClientConnection& c)
      : client(c), service(c.service), stream(c.stream), reader(c.stream) {}

  ClientConnection& client;
  Service& service;
  Stream& stream;
  Http1Reader reader;
  // Callbacks of an exchange that is over do nothing: they compare this number.
  std::shared_ptr<uint64_t> turn = std::make_shared<uint64_t>(0);
  bool first = true;  // No request has been read yet.
};

class Http1Exchange final : public Exchange {
 public:
  Http1Exchange(Connection& connection, http::RequestHead head)
      : c_(connection), request_(std::move(head)), turn_(++*connection.turn) {}
  ~Http1Exchange() override { ++*c_.turn; }

  const http::RequestHead& request() const override { return request_; }
  const CertificateVerdict& certificate() const override { return c_.client.certificate; }
  void RecheckCertificate() override { c_.client.RecheckCertificate(); }
  const std::string& peer_address() const override { return c_.client.address; }
  Worker& worker() const override { return c_.service.worker; }

  Async<StatusOr<std::string_view>> ReadBody() override { return c_.reader.ReadBody(); }
  const http::HeaderList& request_trailers() const override { return c_.reader.trailers(); }
  void StopReading() override {
    keep_alive_ = false;
    c_.stream.SetDeadline(worker().Now() + kLingerTimeout);
  }

  void CloseAfterwards() override { keep_alive_ = false; }

  Async<Status> Inform(http::ResponseHead head) override {
    if (request_.minor_version == 0) return Drain();
    informed_ = informed_ || head.status == 100;
    std::string bytes;
    http::AppendResponseHead(head, bytes);
    c_.stream.Write(bytes);
    return Drain();
  }

  Status Start(http::ResponseHead head) override {
    started_ = true;
    status_ = head.status;
    using Kind = http::BodyFraming::Kind;
    // A client that waits for a 100 may send its body after this answer, or not: no telling which.
    const bool unasked_body =
        request_.headers.Has("Expect") && !informed_ && !c_.reader.body_done();
    keep_alive_ = keep_alive_ && request_.keep_alive && head.keep_alive && !unasked_body &&
                  !c_.service.shared.closing.load();
    head_only_ = request_.method == "HEAD" || head.status == 204 || head.status == 304;
    if (head.status == 204 || head.status == 304) {
      // Has no framing.
    } else if (head.body.kind == Kind::kLength) {
      head.headers.Set("Content-Length", std::to_string(head.body.length));
    } else if (head.body.kind != Kind::kNone && request_.minor_version >= 1) {
      chunked_ = !head_only_;
      head.headers.Set("Transfer-Encoding", "chunked");
    } else if (head.body.kind != Kind::kNone) {
      keep_alive_ = false;
    }
    if (!keep_alive_) {
      head.headers.Set("Connection", "close");
    } else if (request_.minor_version == 0) {
      head.headers.Set("Connection", "keep-alive");
    }
    head.minor_version = request_.minor_version;  // As Go's server, though 1.1 would do.
    http::AppendResponseHead(head, pending_);
    return c_.stream.failure();
  }

  bool Write(std::span<const std::string_view> pieces, size_t bytes) override {
    if (bytes == 0 || head_only_) return c_.stream.unsent() == 0;
    // One gather per call: the head that still waits, the chunk's frame, the payload.
    thread_local std::vector<std::string_view> gather;
    gather.clear();
    const std::string head = std::exchange(pending_, {});
    if (!head.empty()) gather.push_back(head);
    char size[18];
    if (chunked_) gather.emplace_back(size, http::WriteChunkHead(bytes, size));
    gather.insert(gather.end(), pieces.begin(), pieces.end());
    if (chunked_) gather.emplace_back("\r\n");
    return c_.stream.Write(gather);
  }

  Async<Status> Drain() override {
    if (!pending_.empty()) c_.stream.Write(std::exchange(pending_, {}));
    co_return co_await c_.stream.Flush(c_.service.shared.config->write_stall_timeout);
  }

  Stream* SwitchProtocols(http::ResponseHead head, std::string& received) override {
    if (request_.minor_version == 0) return nullptr;
    started_ = true;
    status_ = head.status;
    keep_alive_ = false;
    ++*c_.turn;  // Whoever watched for the client's leaving reads nothing any more.
    gone_ = nullptr;
    std::string bytes;
    http::AppendResponseHead(head, bytes);
    c_.stream.Write(bytes);
    received = c_.reader.TakeUnread();
    return &c_.stream;
  }

  Async<Status> Finish(const http::HeaderList& trailers) override {
    if (chunked_ && trailers.lines().empty()) {
      pending_ += http::kLastChunk;
    } else if (chunked_) {
      pending_ += "0\r\n";
      for (const http::Header& line : trailers.lines())
        pending_ += fmt::format("{}: {}\r\n", line.name, line.value);
      pending_ += "\r\n";
    }
    finished_ = true;
    return Drain();
  }

  void Abort() override {
    keep_alive_ = false;
    c_.stream.Cut();
  }
  bool started() const override { return started_; }
  int status() const override { return status_; }

  void OnWritable(absl::AnyInvocable<void()> done) override {
    c_.stream.OnDrained([this, turn = c_.turn, mine = turn_, done = std::move(done)]() mutable {
      if (*turn != mine) return;
      if (!c_.stream.failure().ok() && gone_) std::exchange(gone_, nullptr)();
      done();
    });
  }

  void OnGone(absl::AnyInvocable<void()> done) override {
    gone_ = std::move(done);
    WatchPeer();
  }

  // The connection's coroutine waits for its end, and holds it.
  std::shared_ptr<Exchange> GoOn() override {
    ended_ = std::make_unique<Signal>(worker());
    request_ = {};
    return {std::shared_ptr<void>(), this};
  }
  void EndOngoing() override {
    ++*c_.turn;  // Nobody is to be told anything any more.
    over_ = true;
    ended_->Notify();
  }
  std::shared_ptr<const http::HeaderList> KeepCredentials() override {
    http::HeaderList lines = CredentialLines(request_.headers, *c_.service.shared.identity_headers);
    if (lines.lines().empty()) return nullptr;
    return std::make_shared<const http::HeaderList>(std::move(lines));
  }
  Async<void> UntilOver() {
    while (ended_ != nullptr && !over_) co_await ended_->Wait();
  }

  bool keep_alive() const { return keep_alive_ && finished_; }

 private:
  void WatchPeer() {
    c_.stream.OnReadable([this, turn = c_.turn, mine = turn_] {
      if (*turn != mine) return;
      if (!c_.reader.Poll(kMaxPipelined)) {
        if (gone_) std::exchange(gone_, nullptr)();
      } else if (c_.reader.buffered() < kMaxPipelined) {
        WatchPeer();
      }
    });
  }

  Connection& c_;
  http::RequestHead request_;  // Until GoOn().
  const uint64_t turn_;
  std::string pending_;  // A head, or an end, that goes out with the next bytes.
  absl::AnyInvocable<void()> gone_;
  std::unique_ptr<Signal> ended_;  // After GoOn().
  bool over_ = false;
  bool chunked_ = false;
  bool head_only_ = false;
  bool informed_ = false;  // Of a 100.
  bool started_ = false;
  bool finished_ = false;
  bool keep_alive_ = true;
  int status_ = 0;
};

Async<void> Refuse(Connection& c, http::HttpError error) {
  ProcessMetrics().bad_requests.Add();
  const std::string bytes = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{}",
      error.status, http::ReasonPhrase(error.status), error.text);
  c.stream.Write(bytes);
  const Status flushed = co_await c.stream.Flush(c.service.shared.config->write_stall_timeout);
  if (flushed.ok()) co_await c.client.Linger();
}

// Whether the rest of the request's body is out of the way, so that the next request can be read.
Async<bool> SkipBody(Connection& c) {
  c.stream.SetDeadline(c.service.worker.Now() + kLingerTimeout);
  size_t skipped = 0;
  while (!c.reader.body_done() && skipped < kMaxDrained) {
    const StatusOr<std::string_view> piece = co_await c.reader.ReadBody();
    if (!piece.ok()) co_return false;
    skipped += piece->size();
  }
  co_return c.reader.body_done();
}

// One request; whether another may follow.
Async<bool> ServeRequest(Connection& c) {
  const Config& config = *c.service.shared.config;
  http::HeadLimits limits;
  limits.max_head_bytes = config.max_header_bytes;
  limits.max_target_bytes = config.max_url_bytes;
  limits.max_fields = config.max_header_fields;
  const Duration patience = std::exchange(c.first, false) ? ClientConnection::kFirstByteTimeout
                                                          : ClientConnection::kIdleTimeout;
  c.stream.SetDeadline(c.service.worker.Now() + patience);
  const StatusOr<std::string_view> bytes =
      co_await c.reader.ReadHead(limits.max_head_bytes, config.read_header_timeout);
  if (absl::IsResourceExhausted(bytes.status())) {
    http::HttpError error{431, "431 Request Header Fields Too Large"};
    co_await Refuse(c, std::move(error));
    co_return false;
  }
  if (!bytes.ok() || bytes->empty()) co_return false;
  c.stream.SetDeadline(TimePoint::max());
  auto parsed = http::ParseRequestHead(*bytes, limits);
  if (auto* error = std::get_if<http::HttpError>(&parsed)) {
    http::HttpError refused = std::move(*error);
    co_await Refuse(c, std::move(refused));
    co_return false;
  }
  http::RequestHead& head = std::get<http::RequestHead>(parsed);
  c.reader.BeginBody(head.body);
  c.client.RecheckCertificate();
  bool keep_alive = false;
  {
    Http1Exchange exchange(c, std::move(head));
    co_await HandleRequest(c.service, exchange);
    co_await exchange.UntilOver();
    keep_alive = exchange.keep_alive();
  }
  if (!c.stream.failure().ok()) co_return false;
  if (!c.reader.body_done()) {
    const bool skipped = co_await SkipBody(c);
    keep_alive = keep_alive && skipped;
  }
  if (!keep_alive && c.stream.failure().ok()) co_await c.client.Linger();
  co_return keep_alive;
}

}  // namespace

Async<void> ServeHttp1(ClientConnection& client) {
  Connection connection(client);
  bool more = true;
  while (more && client.stream.failure().ok() && !client.service.shared.closing.load()) {
    more = co_await ServeRequest(connection);
  }
}

}  // namespace weir
