// A client's connection: TLS handshake, then HTTP/1.1 requests one after the other.
//
// Bounds: 10 s for the handshake and until the first byte, 32 s for a head, 90 s idle between
// requests, 64 KiB of pipelined bytes, a minute without progress on a response; how many there are
// of one address and of one certificate's user, and how many shake hands at once (admission.h,
// handshake_gate.h): whoever exceeds these is closed.
#pragma once

#include <memory>

#include "proxy/net/tls_context.h"
#include "proxy/session/service.h"

namespace weir {

// Serves the connection until it ends. Takes the socket over.
Async<void> ServeConnection(Service& service, int socket,
                            std::shared_ptr<const TlsServerContext> tls);

}  // namespace weir
