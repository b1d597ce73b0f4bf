#include "proxy/session/request_record.h"

#include <string>
#include <utility>

#include "protocol/base/log.h"

namespace weir {

namespace {

constexpr int kAccessLineVerbosity = 3;

std::string ValueOf(const http::RequestHead& request, std::string_view name) {
  const std::string* const value = request.headers.First(name);
  return value != nullptr ? *value : std::string();
}

}  // namespace

struct RequestRecord::Line {
  explicit Line(const http::RequestHead& request)
      : method(request.method),
        target(request.target),
        agent(ValueOf(request, "User-Agent")),
        audit_id(ValueOf(request, "Audit-ID")) {}
  const std::string method, target, agent, audit_id;
};

RequestRecord::RequestRecord(ServiceShared& shared, const http::RequestHead& request,
                             TimePoint received)
    : verb(VerbOfMethod(request.method)),
      shared_(&shared),
      received_(received),
      // What becomes a tunnel counts as no request then, and so never as a mutating one.
      mutating_(!ReadsOnly(request.method) && !request.headers.Has("Upgrade")) {
  shared.requests.fetch_add(1);
  ProcessMetrics().requests_in_flight.Add();
  if (mutating_) ProcessMetrics().mutating_in_flight.Add();
}

RequestRecord::RequestRecord(RequestRecord&& other) noexcept
    : verb(other.verb),
      source(other.source),
      shared_(std::exchange(other.shared_, nullptr)),
      received_(other.received_),
      line_(std::move(other.line_)),
      mutating_(other.mutating_) {}

RequestRecord::~RequestRecord() {
  if (gone()) return;
  shared_->requests.fetch_sub(1);
  ProcessMetrics().requests_in_flight.Sub();
  if (mutating_) ProcessMetrics().mutating_in_flight.Sub();
}

void RequestRecord::Remember(const http::RequestHead& request) {
  if (LogVerbosity() >= kAccessLineVerbosity) line_ = std::make_unique<const Line>(request);
}

void RequestRecord::Close(const Exchange& exchange, std::string_view user, TimePoint now) {
  Metrics& metrics = ProcessMetrics();
  metrics.requests[verb][source][exchange.status()].Add();
  const Duration took = now - received_;
  if (verb != VerbLabel::kWatch && exchange.status() != 101)
    metrics.request_duration[verb][source].Observe(took);
  if (LogVerbosity() < kAccessLineVerbosity) return;
  // Of a watch that began when no lines were written nothing is known any more.
  if (line_ == nullptr && exchange.request().method.empty()) return;
  if (line_ == nullptr) line_ = std::make_unique<const Line>(exchange.request());
  constexpr std::string_view kSources[] = {"hit", "forward", "local"};
  Log(LogLevel::kInfo, "HTTP",
      {{"verb", line_->method},
       {"URI", line_->target},
       {"latency", std::to_string(std::chrono::duration<double, std::milli>(took).count()) + "ms"},
       {"userAgent", line_->agent},
       {"audit-ID", line_->audit_id},
       {"srcIP", exchange.peer_address()},
       {"resp", exchange.status()},
       {"user", user},
       {"cache", kSources[static_cast<size_t>(source)]}});
}

}  // namespace weir
