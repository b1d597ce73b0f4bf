#include "proxy/session/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/http1_connection.h"
#include "proxy/session/http2_connection.h"

namespace weir {

namespace {

constexpr size_t kMaxDrained = 256 * 1024;

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
std::optional<Admission::Ticket> RoomForAddress(ClientConnection& c) {
  return c.service.shared.admission.Enter(Admission::Pool::kAddressConnection,
                                          Caller::OfAddress(c.address));
}

// As RoomForAddress(), of the user that its certificate names. Whoever comes with a token is
// bounded by his requests.
std::optional<Admission::Ticket> RoomForUser(ClientConnection& c) {
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
Async<bool> ShakeHands(ClientConnection& c) {
  const Config& config = *c.service.shared.config;
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

void ClientConnection::JudgeCertificate() {
  std::vector<std::string> certificates = PeerCertificates(stream.ssl());
  if (certificates.empty()) return;
  PresentedCertificates presented;
  presented.leaf = std::move(certificates.front());
  presented.others.assign(certificates.begin() + 1, certificates.end());
  certificate = service.shared.authenticator.Verify(presented);
  if (certificate.kind == CertificateVerdict::Kind::kInvalid && !certificate.front_proxy) {
    Log(LogLevel::kInfo, "Unable to verify a client certificate",
        {{"srcIP", address}, {"err", certificate.reason}});
  }
}

void ClientConnection::RecheckCertificate() {
  if (certificate.kind == CertificateVerdict::Kind::kNone) return;
  if (!service.shared.authenticator.StillValid(certificate)) JudgeCertificate();
}

Async<void> ClientConnection::Linger() {
  stream.FinishWriting();
  stream.SetDeadline(service.worker.Now() + kLingerTimeout);
  std::vector<char> sink(16 * 1024);
  size_t drained = 0;
  while (drained < kMaxDrained) {
    const StatusOr<size_t> got = co_await stream.Read(sink.data(), sink.size());
    if (!got.ok() || *got == 0) break;
    drained += *got;
  }
}

Async<void> ServeConnection(Service& service, int socket,
                            std::shared_ptr<const TlsServerContext> tls) {
  const ConnectionCount count(service.shared);
  const auto connection = std::make_shared<ClientConnection>(service, socket, tls->NewSsl());
  const std::optional<Admission::Ticket> of_address = RoomForAddress(*connection);
  if (!of_address.has_value()) co_return;
  const bool shaken = co_await ShakeHands(*connection);
  if (!shaken) co_return;
  connection->JudgeCertificate();
  const std::optional<Admission::Ticket> of_user = RoomForUser(*connection);
  if (!of_user.has_value()) co_return;
  if (NegotiatedProtocol(connection->stream.ssl()) == "h2") {
    co_await ServeHttp2(connection);
  } else {
    co_await ServeHttp1(*connection);
  }
}

}  // namespace weir
