// Bytes between two connections, both ways, of a protocol that Weir does not read.
//
// Back-pressure: a side is read only while the other takes what it gets, so each way holds at most
// 64 KiB, and nothing at all while it is quiet. A half-close goes through, and the other way may
// then go on as long as bytes flow, with pauses of at most kHalfClosed.
//
//   a ──read──▶ (32 KiB, worker's) ──write──▶ b      end of a: FinishWriting() on b
//   a ◀─write── (32 KiB, worker's) ◀──read─── b      a is cut, or breaks: so is b, and back
//
// Thread-affine: both streams live on one worker, and outlive the call.
#pragma once

#include <functional>

#include "proxy/admin/metrics.h"
#include "proxy/net/stream.h"

namespace weir {

inline constexpr Duration kHalfClosed = std::chrono::seconds(60);

struct TunnelOptions {
  Duration idle_timeout = Duration(0);  // 0: never.
  // Called with the number of bytes that came from a side, as they come. Either may be null.
  std::function<void(size_t bytes)> from_a;
  std::function<void(size_t bytes)> from_b;
};

// Carries bytes until both directions are over, or until one stream is closed from elsewhere (as
// kBroken). Both streams are closed on return. What was written to them before goes first.
Async<TunnelEnd> RunTunnel(Stream& a, Stream& b, TunnelOptions options);

}  // namespace weir
