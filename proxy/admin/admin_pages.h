// What the admin port answers, as a function of the request: no sockets here.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "protocol/http/message.h"
#include "proxy/admin/health.h"
#include "proxy/admin/metrics_writer.h"

namespace weir {

// Where the pages get what they show. Called on the admin server's thread: thread-safe, and quick.
struct AdminSources {
  std::function<std::vector<HealthCheck>()> livez;
  std::function<std::vector<HealthCheck>()> readyz;
  std::function<void(MetricsWriter&)> metrics;
  std::function<std::string()> rebalancez;  // JSON (rebalance/replica_load.h).
};

struct AdminResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// /livez, /readyz and /healthz (as /livez) with ?verbose and ?exclude=, /livez/NAME for one check,
// /metrics, /rebalancez for other replicas. GET and HEAD (whose body the caller leaves out); others
// are 405, other paths 404.
AdminResponse AnswerAdmin(const http::RequestHead& head, const AdminSources& sources);

}  // namespace weir
