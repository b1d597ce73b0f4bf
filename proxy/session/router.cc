#include "proxy/session/router.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/k8s/read_request.h"
#include "protocol/k8s/uncached.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/forward.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/reads.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

constexpr int kRetrySeconds = 1;

// What became of a request, for the metrics and the access line.
struct Outcome {
  VerbLabel verb = VerbLabel::kOther;
  SourceLabel source = SourceLabel::kLocal;
  std::string user;
};

bool Lists(const std::vector<std::string>& names, const ResourceId& id) {
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name == id.resource || name == id.GroupResource();
  });
}

// What the configuration keeps out: no need to know who asks.
bool IsExcluded(const Config& config, const ResourceId& id) {
  if (Lists(config.cache_never, id)) return true;
  return !config.cache_only.empty() && !Lists(config.cache_only, id);
}

// Reads that upstream proves cheaper than any cache could: one key at the latest state. A LIST of
// one name with a limit and a revision is such a read too, in whatever scope: the legacy rule, by
// which it would be exact, holds for prefixes alone.
bool IsSingleKeyNow(const ReadRequest& request) {
  if (request.continue_token.has_value()) return false;
  if (request.resource_version.has_value()) {
    return request.verb == ReadVerb::kList && !request.name.empty() && request.limit > 0 &&
           request.match == ReadRequest::Match::kUnset && request.resource_version->value > 0;
  }
  if (request.verb == ReadVerb::kGet) return true;
  const bool cluster_scoped =
      request.resource.group.empty() &&
      (request.resource.resource == "nodes" || request.resource.resource == "namespaces");
  const bool one_key = !request.namespace_.empty() || cluster_scoped;
  return request.verb == ReadVerb::kList && !request.name.empty() && one_key;
}

// The latest state of what upstream keeps no cache of, and so sends no bookmarks for: nothing
// proves it. One object of it costs upstream a key.
bool IsUnprovable(const ReadRequest& request) {
  if (!IsUncachedUpstream(request.resource)) return false;
  return request.verb == ReadVerb::kGet || SpecOf(request).kind == ReadSpec::Kind::kMostRecent;
}

// Upstream narrows to the namespace and makes the token relative to that, but reads it relative to
// the path: pages that only it can continue in its own way.
bool PagesByNamespaceField(const ReadRequest& request) {
  const bool paged = request.limit > 0 || request.continue_token.has_value();
  return paged && request.namespace_.empty() &&
         request.field_selector.RequiredValue("metadata.namespace").has_value();
}

// Upstream ends a first page by what is left in its index of nodes, which is not what is left of
// the collection. At revision 0 there are no pages.
bool PagesByNode(const ReadRequest& request) {
  if (request.verb != ReadVerb::kList || request.limit <= 0 || request.continue_token) return false;
  if (request.resource_version == Revision{0}) return false;
  const std::string resource = request.resource.GroupResource();
  if (resource != "pods" && resource != "resourceslices.resource.k8s.io") return false;
  return request.field_selector.RequiredValue("spec.nodeName").has_value() ||
         request.field_selector.RequiredValue("spec.host").has_value();
}

VerbLabel LabelOf(ReadVerb verb) {
  return verb == ReadVerb::kGet    ? VerbLabel::kGet
         : verb == ReadVerb::kList ? VerbLabel::kList
                                   : VerbLabel::kWatch;
}

// The identity behind the request; null after an answer, or where `anonymous` was set.
Async<IdentityRef> Authenticate(Service& service, Exchange& exchange, bool& anonymous) {
  const Promise<AuthResult> promise(service.worker);
  service.shared.authenticator.Authenticate(
      exchange.certificate(), exchange.request().headers, service.worker, service.reviews,
      [promise](AuthResult result) { promise.Set(std::move(result)); });
  std::optional<AuthResult> result = co_await promise.Take();
  switch (result->kind) {
    case AuthResult::Kind::kAuthenticated:
      co_return result->identity;
    case AuthResult::Kind::kAnonymous:
      anonymous = true;
      break;
    case AuthResult::Kind::kRejected:
      co_await RespondError(exchange, ApiError::Unauthorized());
      break;
    case AuthResult::Kind::kUnavailable:
      co_await RespondError(
          exchange,
          ApiError::ServiceUnavailable("the API server cannot review this token", kRetrySeconds));
      break;
    case AuthResult::Kind::kOverloaded:
      co_await RespondError(
          exchange, ApiError::TooManyRequests("too many token reviews are waiting", kRetrySeconds));
      break;
  }
  co_return nullptr;
}

Async<std::shared_ptr<const Authorized>> Authorize(Service& service, Exchange& exchange,
                                                   IdentityRef identity,
                                                   const ReadRequest& request) {
  const Promise<Verdict> promise(service.worker);
  const Attributes attributes = AttributesOf(request);
  service.shared.authorizer.Authorize(
      identity, attributes, service.worker, service.reviews,
      [promise](Verdict verdict) { promise.Set(std::move(verdict)); });
  std::optional<Verdict> verdict = co_await promise.Take();
  switch (verdict->kind) {
    case Verdict::Kind::kAllowed:
      co_return verdict->authorized;
    case Verdict::Kind::kDenied:
      co_await RespondError(
          exchange, ApiError::Forbidden(request.resource, request.name,
                                        ForbiddenMessage(*identity, attributes, verdict->reason)));
      break;
    case Verdict::Kind::kUnavailable:
      co_await RespondError(
          exchange,
          ApiError::ServiceUnavailable("the API server cannot review this access", kRetrySeconds));
      break;
    case Verdict::Kind::kOverloaded:
      co_await RespondError(exchange, ApiError::TooManyRequests(
                                          "too many access reviews are waiting", kRetrySeconds));
      break;
  }
  co_return nullptr;
}

// Serves a read from the cache. The reason where upstream is to answer instead.
Async<std::optional<ForwardReason>> TryCache(Service& service, Exchange& exchange,
                                             const ReadRequest& request, Outcome& outcome) {
  if (IsExcluded(*service.shared.config, request.resource)) co_return ForwardReason::kExcluded;
  if (IsSingleKeyNow(request) || IsUnprovable(request)) co_return ForwardReason::kFreshness;
  if (PagesByNamespaceField(request) || PagesByNode(request)) co_return ForwardReason::kSelector;

  bool anonymous = false;
  const IdentityRef identity = co_await Authenticate(service, exchange, anonymous);
  if (anonymous) co_return ForwardReason::kHeaders;
  if (identity == nullptr) co_return std::nullopt;
  outcome.user = identity->name;
  const Admission::Pool pool =
      request.verb == ReadVerb::kWatch ? Admission::Pool::kWatch : Admission::Pool::kCached;
  std::optional<Admission::Ticket> ticket =
      service.shared.admission.Enter(pool, Caller::Of(*identity));
  if (!ticket.has_value()) {
    co_await RespondTooManyRequests(exchange);
    co_return std::nullopt;
  }
  const std::shared_ptr<const Authorized> authorized =
      co_await Authorize(service, exchange, identity, request);
  if (authorized == nullptr) co_return std::nullopt;

  WantedEncoding wanted{std::nullopt, std::nullopt};
  if (request.forms.built_in.serve) wanted.built_in = request.forms.built_in.form.encoding;
  if (request.forms.custom.serve) wanted.custom = request.forms.custom.form.encoding;
  Registry& registry = *service.shared.registry;
  if (IsUncachedUpstream(request.resource) && AsksForThePast(request) &&
      !registry.IsOpen(request.resource, wanted)) {
    // The next one finds what followed from here on.
    if (request.verb == ReadVerb::kWatch)
      registry.Open(service.worker.index(), request.resource, wanted, [](const auto&) {});
    co_return ForwardReason::kNotReady;
  }
  const Promise<std::shared_ptr<Replica>> promise(service.worker);
  registry.Open(service.worker.index(), request.resource, wanted,
                [promise](std::shared_ptr<Replica> replica) { promise.Set(std::move(replica)); });
  std::optional<std::shared_ptr<Replica>> replica = co_await promise.Take();
  if (*replica == nullptr) co_return ForwardReason::kExcluded;
  outcome.source = SourceLabel::kCache;
  const auto reason = co_await ServeRead(service, exchange, request, authorized, *replica, *ticket);
  if (reason.has_value()) outcome.source = SourceLabel::kLocal;
  co_return reason;
}

Async<void> Route(Service& service, Exchange& exchange, Outcome& outcome) {
  const std::string refused =
      RefusedHeaders(exchange.request().headers, *service.shared.identity_headers);
  if (!refused.empty()) {
    ProcessMetrics().bad_requests.Add();
    std::string text = "400 Bad Request: " + refused;
    co_await RespondText(exchange, 400, std::move(text));
    co_return;
  }
  std::variant<ReadRequest, ForwardReason> classified = ClassifyRead(exchange.request());
  std::optional<ForwardReason> reason;
  if (const auto* request = std::get_if<ReadRequest>(&classified)) {
    outcome.verb = LabelOf(request->verb);
    reason = co_await TryCache(service, exchange, *request, outcome);
  } else {
    reason = std::get<ForwardReason>(classified);
  }
  if (!reason.has_value()) co_return;
  outcome.source = SourceLabel::kForward;
  ProcessMetrics().forwarded[static_cast<size_t>(*reason)].Add();
  co_await ForwardRequest(service, exchange);
}

void Account(const Exchange& exchange, const Outcome& outcome, Duration took) {
  Metrics& metrics = ProcessMetrics();
  metrics.requests[outcome.verb][outcome.source][exchange.status()].Add();
  if (outcome.verb != VerbLabel::kWatch && exchange.status() != 101)
    metrics.request_duration[outcome.verb][outcome.source].Observe(took);
  if (LogVerbosity() < 3) return;
  const http::RequestHead& request = exchange.request();
  const std::string* agent = request.headers.First("User-Agent");
  const std::string* audit = request.headers.First("Audit-ID");
  constexpr std::string_view kSources[] = {"hit", "forward", "local"};
  Log(LogLevel::kInfo, "HTTP",
      {{"verb", request.method},
       {"URI", request.target},
       {"latency", std::to_string(std::chrono::duration<double, std::milli>(took).count()) + "ms"},
       {"userAgent", agent != nullptr ? *agent : std::string()},
       {"audit-ID", audit != nullptr ? *audit : std::string()},
       {"srcIP", exchange.peer_address()},
       {"resp", exchange.status()},
       {"user", outcome.user},
       {"cache", kSources[static_cast<size_t>(outcome.source)]}});
}

struct RequestCount {
  // What becomes a tunnel counts as no request then, and so never as a mutating one.
  RequestCount(ServiceShared& s, const http::RequestHead& request)
      : shared(s), mutating(!ReadsOnly(request.method) && !request.headers.Has("Upgrade")) {
    shared.requests.fetch_add(1);
    ProcessMetrics().requests_in_flight.Add();
    if (mutating) ProcessMetrics().mutating_in_flight.Add();
  }
  ~RequestCount() {
    shared.requests.fetch_sub(1);
    ProcessMetrics().requests_in_flight.Sub();
    if (mutating) ProcessMetrics().mutating_in_flight.Sub();
  }
  ServiceShared& shared;
  const bool mutating;
};

}  // namespace

Async<void> HandleRequest(Service& service, Exchange& exchange) {
  const RequestCount count(service.shared, exchange.request());
  const TimePoint received = service.worker.Now();
  Outcome outcome;
  outcome.verb = VerbOfMethod(exchange.request().method);
  try {
    co_await Route(service, exchange, outcome);
  } catch (const std::exception& failure) {
    Log(LogLevel::kError, "Request failed", {{"err", failure.what()}});
    exchange.Abort();
  }
  Account(exchange, outcome, service.worker.Now() - received);
}

}  // namespace weir
