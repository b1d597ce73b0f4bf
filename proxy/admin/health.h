// Health as kube-apiserver reports it: named checks, and one text about them all
// (auth-and-forwarding F.1).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/registry.h"
#include "protocol/base/status.h"

namespace weir {

struct HealthCheck {
  std::string name;      // "ping", "shutdown", "cache-sync/apps/v1/deployments".
  Status status;         // Not OK: failed, for the reason in its message.
  bool required = true;  // Whether the whole fails with it; else it is only shown.
};

struct HealthReport {
  bool healthy = true;
  std::string body;  // text/plain
};

// `endpoint` is "livez" or "readyz". `excluded` checks are shown and pass. Healthy and not verbose:
// "ok"; else one line a check. Unlike kube-apiserver a failed check says why: the admin port is for
// operators.
HealthReport ReportHealth(std::string_view endpoint, std::span<const HealthCheck> checks,
                          bool verbose, std::vector<std::string> excluded);

// One check per feed, failed while it is not synced, be it refused upstream; never required, as a
// feed starts on demand and what it cannot answer is forwarded.
std::vector<HealthCheck> FeedChecks(std::span<const FeedStatus> feeds);

}  // namespace weir
