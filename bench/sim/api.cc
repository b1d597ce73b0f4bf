#include "bench/sim/api.h"

#include <fmt/format.h>

namespace weir::sim {
namespace {

Reply PlainReply(int status, std::string text) {
  Reply reply;
  reply.status = status;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = std::move(text);
  reply.headers.Add("X-Content-Type-Options", "nosniff");
  return reply;
}

ApiError ErrorWith(int code, std::string reason, std::string message) {
  ApiError error;
  error.code = code;
  error.reason = std::move(reason);
  error.message = std::move(message);
  return error;
}

// In a group that exists, as the router of built-in types says it.
ApiError NoSuchResource() {
  ApiError error = ErrorWith(404, "NotFound", "the server could not find the requested resource");
  error.has_details = true;
  return error;
}

ApiError MethodNotAllowed() {
  ApiError error = ErrorWith(405, "MethodNotAllowed",
                             "the server does not allow this method on the requested resource");
  error.has_details = true;
  return error;
}

bool IsReview(const ResourceId& id, std::string_view& kind) {
  for (const VirtualType& type : VirtualTypes()) {
    if (type.id == id) {
      kind = type.kind;
      return true;
    }
  }
  return false;
}

// Whether the path's scope suits the type; namespaces themselves count as cluster-scoped.
bool ScopeFits(const TypeSpec& spec, const RequestInfo& info) {
  if (spec.id.resource == "namespaces") return true;
  if (!spec.namespaced) return info.namespace_.empty();
  const bool one =
      info.verb == "get" || info.verb == "update" || info.verb == "patch" || info.verb == "delete";
  return !one || !info.namespace_.empty();
}

}  // namespace

Reply JsonReply(std::string body, int status) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.body += '\n';
  return reply;
}

Reply ReplyOf(const ApiError& error) {
  Reply reply = JsonReply(error.ToJson(), error.code);
  if (error.details.retry_after_seconds > 0) {
    reply.headers.Add("Retry-After", std::to_string(error.details.retry_after_seconds));
  }
  if (error.code == 403) reply.headers.Add("X-Content-Type-Options", "nosniff");
  return reply;
}

Api::Api(Store& store, Population& population, Access& access, Faults& faults, uint64_t seed)
    : store_(store), population_(population), access_(access), faults_(faults), random_(seed) {}

Answer Api::Handle(const Request& request, TimePoint now, bool waited) {
  Query query(request.head.query());
  RequestInfo info = ParseRequestInfo(request.head.method, request.head.path(), query);
  auto identity = access_.Authenticate(request.head.headers, request.certificate);
  if (!identity.ok()) return ReplyOf(ApiError::Unauthorized());
  auto acting = access_.Impersonate(request.head.headers, *std::move(identity));
  if (const auto* error = std::get_if<ApiError>(&acting)) return ReplyOf(*error);
  const Call call{
      request, std::move(query), std::move(info), std::get<Identity>(std::move(acting)), now,
      waited};

  const Attributes attributes = Attributes::Of(call.info);
  if (!access_.Allows(call.identity, attributes)) {
    return ReplyOf(ForbiddenError(call.identity, attributes));
  }
  Answer answer = Route(call);
  answer.resource = call.info.id.resource;
  return answer;
}

Answer Api::Route(const Call& call) {
  const RequestInfo& info = call.info;
  if (!info.is_resource) return NonResource(call);
  std::string_view review;
  if (IsReview(info.id, review)) {
    if (info.verb != "create") return ReplyOf(MethodNotAllowed());
    if (!call.waited) ++counts_[info.verb + " " + info.id.resource];
    if (const auto error = faults_.TakeRefusal(info)) return ReplyOf(*error);
    return Review(call, review);
  }
  const std::shared_ptr<Collection> collection = store_.Find(info.id);
  if (collection == nullptr || !ScopeFits(collection->spec(), info)) {
    const bool group_exists = Resources(info.id.group, info.id.version).has_value();
    if (!group_exists) return PlainReply(404, "404 page not found\n");
    return ReplyOf(NoSuchResource());
  }
  if (!call.waited) ++counts_[info.verb + " " + info.id.resource];
  if (!AcceptsJson(call.request.head.headers)) {
    return ReplyOf(ErrorWith(406, "NotAcceptable",
                             "only the following media types are accepted: application/json"));
  }
  const auto refusal = faults_.TakeRefusal(info);
  if (refusal && !(refusal->code == 410 && info.verb == "watch")) return ReplyOf(*refusal);
  if (!info.subresource.empty() &&
      !(info.subresource == "status" && collection->spec().status_subresource)) {
    return ReplyOf(NoSuchResource());
  }
  const std::string& method = call.request.head.method;
  if (info.verb == "watch" && (method == "GET")) {
    Answer answer = StartWatch(call, collection);
    if (auto* watch = std::get_if<std::unique_ptr<Watch>>(&answer.content); watch && refusal) {
      (*watch)->Fail(ApiError::WatchExpired(0, collection->oldest().value));
    }
    return answer;
  }
  if (method == "GET") {
    return info.verb == "list" ? List(call, *collection) : Get(call, *collection);
  }
  if (info.verb == "create" && info.name.empty()) return Create(call, *collection);
  if ((info.verb == "update" || info.verb == "patch") && !info.name.empty())
    return Update(call, *collection);
  if (info.verb == "delete") return Delete(call, *collection);
  if (info.verb == "deletecollection") return DeleteCollection(call, *collection);
  return ReplyOf(MethodNotAllowed());
}

Answer Api::NonResource(const Call& call) {
  if (call.request.head.method != "GET" && call.request.head.method != "HEAD") {
    return ReplyOf(MethodNotAllowed());
  }
  const std::string& path = call.info.path;
  if (path == "/healthz" || path == "/livez" || path == "/readyz") {
    Reply reply = PlainReply(200, "ok");
    return reply;
  }
  if (auto reply = Discover(call)) return *std::move(reply);
  return PlainReply(404, "404 page not found\n");
}

}  // namespace weir::sim
