// HTTP/2 on a client's connection: reads, starts a handler for each stream, and ends the connection
// when its time is over.
//
// Bounds: 10 s for the client's preface, 32 s for a field block, 90 s without a stream; a minute
// without progress on an answer, after which its stream is reset, or on the socket.
#pragma once

#include <memory>

#include "proxy/session/connection.h"

namespace weir {

// Serves streams until the connection ends and the last handler has.
Async<void> ServeHttp2(std::shared_ptr<ClientConnection> client);

// No new streams on the connections of this worker: they end with the last that is open.
void DrainHttp2(Service& service);

// No new streams on `count` of them, or as many as there are: what runs goes on, and their clients
// connect anew for more. The oldest go first. Returns how many; O(that), however many others there
// are. On the service's worker.
size_t SendAwayHttp2(Service& service, size_t count);

}  // namespace weir
