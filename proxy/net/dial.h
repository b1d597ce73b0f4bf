// Opens TCP connections, and looks up whose addresses a name is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/status.h"
#include "proxy/net/worker.h"

namespace weir {

// A connected, non-blocking socket with TCP_NODELAY and keepalive; the caller owns it. Tries the
// addresses of `host` (a name or an IP address) in order until `deadline`. Unavailable names host,
// port and cause.
Async<StatusOr<int>> Dial(Worker& worker, std::string host, uint16_t port, TimePoint deadline);

// The IP addresses of `host`, which is a name or one itself, as Dial() would try them. Unavailable
// as there.
Async<StatusOr<std::vector<std::string>>> LookUpHost(Worker& worker, std::string host,
                                                     uint16_t port, TimePoint deadline);

// Whether a Dial() failed because the name was not found, or not in time: nothing was asked of the
// host itself.
bool IsLookupFailure(const Status& status);

// Settings that every connection of ours has: no delay, keepalive 30 s, and at most 128 KiB unsent
// in the kernel.
void TuneSocket(int socket);

}  // namespace weir
