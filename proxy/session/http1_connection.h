// HTTP/1.1 on a client's connection: requests one after the other.
//
// Bounds: 10 s until the first byte, 32 s for a head, 90 s idle between requests, 64 KiB of
// pipelined bytes, a minute without progress on a response.
#pragma once

#include "proxy/session/connection.h"

namespace weir {

// Serves requests until the connection ends. `client` has shaken hands, and outlives it.
Async<void> ServeHttp1(ClientConnection& client);

}  // namespace weir
