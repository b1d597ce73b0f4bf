#include "proxy/session/http1_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/base/log.h"
#include "protocol/http/chunked.h"
#include "protocol/http/head.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/http1_reader.h"
#include "proxy/session/respond.h"
#include "proxy/session/router.h"

namespace weir {

namespace {

constexpr Duration kFirstByteTimeout = std::chrono::seconds(10);
constexpr Duration kIdleTimeout = std::chrono::seconds(90);
constexpr Duration kLingerTimeout = std::chrono::seconds(1);
constexpr size_t kMaxPipelined = 64 * 1024;
constexpr size_t kMaxDrained = 256 * 1024;

// What outlives a single request on the connection.
struct Connection {
  Connection(Service& s, int socket, SSL* ssl)
      : service(s), stream(s.worker, socket, ssl), reader(stream), address(stream.peer_address()) {}

  Service& service;
  Stream stream;
  Http1Reader reader;
  std::string address;
  CertificateVerdict certificate;
  // Callbacks of an exchange that is over do nothing: they compare this number.
  std::shared_ptr<uint64_t> turn = std::make_shared<uint64_t>(0);
  bool first = true;  // No request has been read yet.
};

void JudgeCertificate(Connection& c) {
  std::vector<std::string> certificates = PeerCertificates(c.stream.ssl());
  if (certificates.empty()) return;
  PresentedCertificates presented;
  presented.leaf = std::move(certificates.front());
  presented.others.assign(certificates.begin() + 1, certificates.end());
  c.certificate = c.service.shared.authenticator.Verify(presented);
  if (c.certificate.kind == CertificateVerdict::Kind::kInvalid) {
    Log(LogLevel::kInfo, "Unable to verify a client certificate",
        {{"srcIP", c.address}, {"err", c.certificate.reason}});
  }
}

void RecheckVerdict(Connection& c) {
  if (c.certificate.kind == CertificateVerdict::Kind::kNone) return;
  if (!c.service.shared.authenticator.StillValid(c.certificate)) JudgeCertificate(c);
}

class Http1Exchange final : public Exchange {
 public:
  Http1Exchange(Connection& connection, http::RequestHead head)
      : c_(connection), request_(std::move(head)), turn_(++*connection.turn) {}
  ~Http1Exchange() override { ++*c_.turn; }

  const http::RequestHead& request() const override { return request_; }
  const CertificateVerdict& certificate() const override { return c_.certificate; }
  void RecheckCertificate() override { RecheckVerdict(c_); }
  const std::string& peer_address() const override { return c_.address; }
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
    co_return co_await c_.stream.Flush(c_.service.shared.config.write_stall_timeout);
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
  const http::RequestHead request_;
  const uint64_t turn_;
  std::string pending_;  // A head, or an end, that goes out with the next bytes.
  absl::AnyInvocable<void()> gone_;
  bool chunked_ = false;
  bool head_only_ = false;
  bool informed_ = false;  // Of a 100.
  bool started_ = false;
  bool finished_ = false;
  bool keep_alive_ = true;
  int status_ = 0;
};

// After an answer that left bytes of the request unread the kernel would reset the connection, and
// the client might never see the answer: say that we are done, and let it finish for a moment.
Async<void> Linger(Connection& c) {
  c.stream.FinishWriting();
  c.stream.SetDeadline(c.service.worker.Now() + kLingerTimeout);
  std::vector<char> sink(16 * 1024);
  size_t drained = 0;
  while (drained < kMaxDrained) {
    const StatusOr<size_t> got = co_await c.stream.Read(sink.data(), sink.size());
    if (!got.ok() || *got == 0) break;
    drained += *got;
  }
}

Async<void> Refuse(Connection& c, http::HttpError error) {
  ProcessMetrics().bad_requests.Add();
  const std::string bytes = fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n{}",
      error.status, http::ReasonPhrase(error.status), error.text);
  c.stream.Write(bytes);
  const Status flushed = co_await c.stream.Flush();
  if (flushed.ok()) co_await Linger(c);
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
  const Config& config = c.service.shared.config;
  http::HeadLimits limits;
  limits.max_head_bytes = config.max_header_bytes;
  limits.max_target_bytes = config.max_url_bytes;
  limits.max_fields = config.max_header_fields;
  const Duration patience = std::exchange(c.first, false) ? kFirstByteTimeout : kIdleTimeout;
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
  RecheckVerdict(c);
  bool keep_alive = false;
  {
    Http1Exchange exchange(c, std::move(head));
    co_await HandleRequest(c.service, exchange);
    keep_alive = exchange.keep_alive();
  }
  if (!c.stream.failure().ok()) co_return false;
  if (!c.reader.body_done()) {
    const bool skipped = co_await SkipBody(c);
    keep_alive = keep_alive && skipped;
  }
  if (!keep_alive && c.stream.failure().ok()) co_await Linger(c);
  co_return keep_alive;
}

struct ConnectionCount {
  explicit ConnectionCount(ServiceShared& s) : shared(s) {
    shared.connections.fetch_add(1);
    ProcessMetrics().connections.Add();
  }
  ~ConnectionCount() {
    shared.connections.fetch_sub(1);
    ProcessMetrics().connections.Sub();
  }
  ServiceShared& shared;
};

// Room for one more connection of its address; nothing: there is none.
std::optional<Admission::Ticket> RoomForAddress(Connection& c) {
  return c.service.shared.admission.Enter(Admission::Pool::kAddressConnection,
                                          Caller::OfAddress(c.address));
}

// As RoomForAddress(), of the user that its certificate names. Whoever comes with a token is
// bounded by his requests.
std::optional<Admission::Ticket> RoomForUser(Connection& c) {
  if (c.certificate.kind != CertificateVerdict::Kind::kValid) return Admission::Ticket();
  return c.service.shared.admission.Enter(Admission::Pool::kUserConnection,
                                          Caller::Of(*c.certificate.identity));
}

void SayThatThisIsHttps(int socket) {
  constexpr std::string_view kPlain =
      "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
  ::send(socket, kPlain.data(), kPlain.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// False: there is no TLS here, and nothing more to do.
Async<bool> ShakeHands(Connection& c) {
  const Config& config = c.service.shared.config;
  HandshakeGate::Limits limits;
  limits.max_in_flight = config.max_handshakes_inflight / std::max(config.workers, 1u);
  limits.per_second = config.max_handshakes_per_second;
  HandshakeGate::Place place(c.service.handshakes);
  const bool entered = co_await c.service.handshakes.Enter(c.stream, place, limits);
  if (!entered) co_return false;
  c.stream.SetDeadline(c.service.worker.Now() + config.tls_handshake_timeout);
  const Status shaken = co_await c.stream.Handshake(true);
  if (shaken.ok()) {
    ProcessMetrics().tls_handshakes.Add();
    co_return true;
  }
  ProcessMetrics().tls_handshake_errors.Add();
  if (LogEnabled(LogLevel::kDebug)) {
    Log(LogLevel::kDebug, "TLS handshake error", {{"srcIP", c.address}, {"err", Message(shaken)}});
  }
  if (Message(shaken) == "http request") SayThatThisIsHttps(c.stream.socket());
  co_return false;
}

}  // namespace

Async<void> ServeConnection(Service& service, int socket,
                            std::shared_ptr<const TlsServerContext> tls) {
  const ConnectionCount count(service.shared);
  Connection connection(service, socket, tls->NewSsl());
  const std::optional<Admission::Ticket> of_address = RoomForAddress(connection);
  if (!of_address.has_value()) co_return;
  const bool shaken = co_await ShakeHands(connection);
  if (!shaken) co_return;
  JudgeCertificate(connection);
  const std::optional<Admission::Ticket> of_user = RoomForUser(connection);
  if (!of_user.has_value()) co_return;
  bool more = true;
  while (more && connection.stream.failure().ok() && !service.shared.closing.load()) {
    more = co_await ServeRequest(connection);
  }
}

}  // namespace weir
