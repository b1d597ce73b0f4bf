// A client's connection: TLS handshake, who it is, how many there may be; then HTTP/1.1 or HTTP/2
// as ALPN agreed.
//
// Bounds: 10 s for the handshake; how many there are of one address and of one certificate's user,
// and how many shake hands at once (admission.h, handshake_gate.h): whoever exceeds these is
// closed.
#pragma once

#include <memory>
#include <string>

#include "proxy/net/stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/session/service.h"

namespace weir {

// What all requests of a connection share. Thread-affine.
struct ClientConnection {
  // How long a connection that never said anything, or says nothing more, is kept; and how long a
  // client may take to read what it was told last.
  static constexpr Duration kFirstByteTimeout = std::chrono::seconds(10);
  static constexpr Duration kIdleTimeout = std::chrono::seconds(90);
  static constexpr Duration kLingerTimeout = std::chrono::seconds(1);

  ClientConnection(Service& s, int socket, SSL* ssl)
      : service(s), stream(s.worker, socket, ssl), address(stream.peer_address()) {}

  // Verifies what the client presented in the handshake.
  void JudgeCertificate();
  // Again, where the verdict no longer stands.
  void RecheckCertificate();
  // After an answer that left bytes of the client unread the kernel would reset the connection, and
  // the client might never see the answer: says that we are done, and lets it finish for a moment.
  Async<void> Linger();

  Service& service;
  Stream stream;
  const std::string address;
  CertificateVerdict certificate;
};

// Serves the connection until it ends. Takes the socket over.
Async<void> ServeConnection(Service& service, int socket,
                            std::shared_ptr<const TlsServerContext> tls);

}  // namespace weir
