// The seam between the cache and the network: GETs to the API server, their bodies as they arrive.
//
// proxy/upstream implements it over HTTPS, tests/fakes in memory. The cache builds the URLs and
// parses the bodies itself, so that the simulation runs the same code as production.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/executor.h"
#include "protocol/base/status.h"
#include "protocol/k8s/form.h"

namespace weir {

struct ApiRequest {
  std::string target;  // Path and query: "/api/v1/pods?watch=true&resourceVersion=5".
  std::string_view accept = kJsonType;  // Of a string that lives for ever: FeedAccept().
  // Until the response head; and then between two pieces of the body where `stall_timeout` is not
  // zero.
  Duration head_timeout = std::chrono::seconds(60);
  Duration stall_timeout{0};
};

struct ApiResponseHead {
  int status = 0;  // HTTP status code.
  std::string content_type;
  std::string warning;  // Value lines of `Warning`, joined by "\n".
  int retry_after_seconds = 0;
};

// Receives one response. All calls come on the executor that started the call, and never inside
// Get().
class ApiResponseSink {
 public:
  virtual ~ApiResponseSink() = default;
  virtual void OnHead(const ApiResponseHead& head) = 0;
  // Bytes of the body, valid during the call. Not reading on is not possible: consume them here.
  virtual void OnBody(std::string_view bytes) = 0;
  // The last call. OK: the body ended as HTTP says it should. Unavailable: connect, TLS or
  // transport failure. DeadlineExceeded: one of the request's time-outs.
  virtual void OnEnd(const Status& status) = 0;
};

// A running request. Destroying it cancels the request: its sink is not called any more.
// It may be destroyed inside one of the sink's calls.
class ApiCall {
 public:
  virtual ~ApiCall() = default;
};

// Sends GETs with Weir's own credential to one of the upstream's endpoints.
// Thread-affine.
class ListWatcher {
 public:
  virtual ~ListWatcher() = default;

  // `sink` must outlive the returned call.
  virtual std::unique_ptr<ApiCall> Get(ApiRequest request, ApiResponseSink& sink) = 0;

  // Later calls go to another endpoint where there are several: the current one failed or lags.
  virtual void SwitchEndpoint() = 0;
};

}  // namespace weir
