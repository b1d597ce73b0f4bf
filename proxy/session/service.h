// What the sessions of one worker share: the parts of the process they need, and where they count.
#pragma once

#include <atomic>
#include <memory>

#include "absl/container/flat_hash_set.h"
#include "cache/registry.h"
#include "proxy/auth/authenticator.h"
#include "proxy/auth/authorizer.h"
#include "proxy/auth/review_client.h"
#include "proxy/config/live_config.h"
#include "proxy/net/due_heap.h"
#include "proxy/net/handshake_gate.h"
#include "proxy/net/worker.h"
#include "proxy/session/admission.h"
#include "proxy/session/http2_output.h"
#include "proxy/session/http2_roll.h"
#include "proxy/session/live_identity_headers.h"
#include "proxy/upstream/pool.h"

namespace weir {

class Http2Session;

// Process-wide, thread-safe.
struct ServiceShared {
  const LiveConfig& config;
  // Made once the workers run, before the first connection is accepted.
  const std::unique_ptr<Registry>& registry;
  Authenticator& authenticator;
  Authorizer& authorizer;
  Upstream& upstream;
  std::atomic<bool> closing{
      false};  // Responses say `Connection: close`; idle connections are closed.
  std::atomic<bool> stopping{false};  // Watches end.
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> requests{0};  // In flight, watches and forwarded streams included.
  Admission admission{config};
  LiveIdentityHeaders identity_headers{IdentityHeaderNames::Of(*config)};
};

// Of one worker; thread-affine. Outlives the worker's sessions.
struct Service {
  ServiceShared& shared;
  Worker& worker;
  UpstreamPool& pool;
  ReviewClient& reviews;
  // Running watches, by when each has something to do; woken when the process stops.
  DueHeap watches{worker};
  HandshakeGate handshakes{worker};
  // Connections that speak HTTP/2, and what they send at the end of a turn.
  absl::flat_hash_set<Http2Session*> http2_sessions = {};
  Http2Roll http2_roll{};
  FlushQueue flushes{worker};
};

}  // namespace weir
