// TokenReview, SubjectAccessReview and the reviews of oneself.
#include <fmt/format.h>

#include "bench/sim/api.h"
#include "bench/sim/write_rules.h"

namespace weir::sim {
namespace {

JsonArray TextsOf(const std::vector<std::string>& values) {
  JsonArray array;
  for (const std::string& value : values) array.emplace_back(value);
  return array;
}

JsonObject UserInfo(const Identity& identity) {
  JsonObject user;
  user["username"] = identity.name;
  if (!identity.uid.empty()) user["uid"] = identity.uid;
  user["groups"] = TextsOf(identity.groups);
  if (!identity.extra.empty()) {
    JsonObject& extra = ObjectAt(user, "extra");
    for (const auto& [key, values] : identity.extra) extra[key] = TextsOf(values);
  }
  return user;
}

Attributes AttributesOf(const Json& spec) {
  Attributes attributes;
  if (const Json* path = Find(spec, {"nonResourceAttributes"})) {
    attributes.is_resource = false;
    attributes.path = TextAt(*path, {"path"});
    attributes.verb = TextAt(*path, {"verb"});
    return attributes;
  }
  const Json* resource = Find(spec, {"resourceAttributes"});
  if (resource == nullptr) return attributes;
  attributes.verb = TextAt(*resource, {"verb"});
  attributes.group = TextAt(*resource, {"group"});
  attributes.resource = TextAt(*resource, {"resource"});
  attributes.subresource = TextAt(*resource, {"subresource"});
  attributes.namespace_ = TextAt(*resource, {"namespace"});
  attributes.name = TextAt(*resource, {"name"});
  return attributes;
}

Identity SubjectOf(const Json& spec) {
  Identity identity;
  identity.name = TextAt(spec, {"user"});
  const Json* groups = Find(spec, {"groups"});
  if (groups != nullptr && groups->is_array()) {
    for (const Json& group : groups->get_array()) {
      if (group.is_string()) identity.groups.emplace_back(group.get_string());
    }
  }
  return identity;
}

}  // namespace

void Api::ReviewToken(Json& review) const {
  const Identity* identity = access_.FindToken(TextAt(review, {"spec", "token"}));
  JsonObject status;
  if (identity != nullptr) {
    status["authenticated"] = true;
    status["user"] = UserInfo(*identity);
    status["audiences"] = JsonArray{"https://kubernetes.default.svc"};
  } else {
    // As upstream: no `authenticated` key at all.
    status["user"] = JsonObject();
    status["error"] = "invalid bearer token";
  }
  review.get_object()["status"] = std::move(status);
}

void Api::ReviewAccess(Json& review, const Identity& self) const {
  const Json* spec = Find(review, {"spec"});
  const bool own = spec == nullptr || TextAt(review, {"kind"}) == "SelfSubjectAccessReview";
  const Identity identity = own ? self : SubjectOf(*spec);
  JsonObject status;
  status["allowed"] = spec != nullptr && access_.Allows(identity, AttributesOf(*spec));
  review.get_object()["status"] = std::move(status);
}

Reply Api::Review(const Call& call, std::string_view kind) {
  const std::string* type = call.request.head.headers.First("Content-Type");
  auto parsed = ParseBody(type == nullptr ? "" : *type, call.request.body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return ReplyOf(*error);
  Json* body = &std::get<Json>(parsed);
  if (!body->is_object()) return ReplyOf(BadRequest("the object provided is unrecognized"));
  JsonObject& object = body->get_object();
  object["kind"] = kind;
  object["apiVersion"] = call.info.id.ApiVersion();
  ObjectAt(object, "metadata");
  if (kind == "TokenReview") {
    if (TextAt(*body, {"spec", "token"}).empty()) {
      return ReplyOf(BadRequest("token is required for TokenReview in authentication"));
    }
    ReviewToken(*body);
  } else if (kind == "SelfSubjectReview") {
    object["status"] = JsonObject{{"userInfo", UserInfo(call.identity)}};
  } else {
    ReviewAccess(*body, call.identity);
  }
  constexpr std::string_view kOrder[] = {"kind", "apiVersion", "metadata", "spec", "status"};
  OrderKeys(object, kOrder);
  return JsonReply(ToText(*body), 201);
}

}  // namespace weir::sim
