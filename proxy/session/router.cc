#include "proxy/session/router.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/k8s/read_request.h"
#include "protocol/k8s/uncached.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"
#include "proxy/session/forward.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/reads.h"
#include "proxy/session/request_record.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

constexpr int kRetrySeconds = 1;

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
                                             const ReadRequest& request, RequestRecord& record,
                                             std::string& user) {
  if (IsExcluded(*service.shared.config, request.resource)) co_return ForwardReason::kExcluded;
  if (IsSingleKeyNow(request) || IsUnprovable(request)) co_return ForwardReason::kFreshness;
  if (PagesByNamespaceField(request) || PagesByNode(request)) co_return ForwardReason::kSelector;

  bool anonymous = false;
  const IdentityRef identity = co_await Authenticate(service, exchange, anonymous);
  if (anonymous) co_return ForwardReason::kHeaders;
  if (identity == nullptr) co_return std::nullopt;
  user = identity->name;
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
  CachedRead read{request, authorized,          *std::move(replica), *std::move(ticket),
                  record,  service.worker.Now()};
  record.source = SourceLabel::kCache;
  const auto reason = co_await ServeRead(service, exchange, read);
  if (reason.has_value()) record.source = SourceLabel::kLocal;
  co_return reason;
}

// `user`: who asks, where that has been found out.
Async<void> Route(Service& service, Exchange& exchange, RequestRecord& record, std::string& user) {
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
    record.verb = LabelOf(request->verb);
    reason = co_await TryCache(service, exchange, *request, record, user);
  } else {
    reason = std::get<ForwardReason>(classified);
  }
  if (!reason.has_value()) co_return;
  record.source = SourceLabel::kForward;
  ProcessMetrics().forwarded[static_cast<size_t>(*reason)].Add();
  co_await ForwardRequest(service, exchange);
}

}  // namespace

Async<void> HandleRequest(Service& service, Exchange& exchange) {
  RequestRecord record(service.shared, exchange.request(), service.worker.Now());
  std::string user;
  try {
    co_await Route(service, exchange, record, user);
  } catch (const std::exception& failure) {
    Log(LogLevel::kError, "Request failed", {{"err", failure.what()}});
    exchange.Abort();
  }
  if (!record.gone()) record.Close(exchange, user, service.worker.Now());
}

}  // namespace weir
