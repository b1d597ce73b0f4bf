// Create, update, patch and delete.
#include <fmt/format.h>

#include "bench/sim/api.h"
#include "bench/sim/write_rules.h"

namespace weir::sim {
namespace {

constexpr std::string_view kMergePatch = "application/merge-patch+json";
constexpr std::string_view kStrategicPatch = "application/strategic-merge-patch+json";

std::string MediaType(const Request& request) {
  const std::string* type = request.head.headers.First("Content-Type");
  return type == nullptr ? "" : type->substr(0, type->find(';'));
}

std::string ManagerOf(const Request& request) {
  const std::string* agent = request.head.headers.First("User-Agent");
  return agent == nullptr || agent->empty() ? "unknown" : agent->substr(0, agent->find('/'));
}

std::string KeyOf(const Collection& collection, std::string_view namespace_name,
                  std::string_view name) {
  return collection.spec().namespaced ? fmt::format("{}/{}", namespace_name, name)
                                      : std::string(name);
}

std::variant<Json, ApiError> BodyOf(const Request& request) {
  const std::string* type = request.head.headers.First("Content-Type");
  return ParseBody(type == nullptr ? "" : *type, request.body);
}

// A strategic merge patch says the same as a plain one where it touches neither lists nor
// directives.
bool IsPlainPatch(const Json& patch) {
  if (patch.is_array()) return false;
  if (!patch.is_object()) return true;
  for (const auto& member : patch.get_object()) {
    if (member.key().starts_with('$') || !IsPlainPatch(member.value())) return false;
  }
  return true;
}

std::variant<Json, ApiError> Patched(const Request& request, const Json& old) {
  const std::string type = MediaType(request);
  if (type != kMergePatch && type != kStrategicPatch) return UnsupportedMediaType(kMergePatch);
  auto patch = ParseJson(request.body);
  if (!patch.ok()) return BadRequest(std::string(Message(patch.status())));
  if (type == kStrategicPatch && !IsPlainPatch(*patch)) return UnsupportedMediaType(kMergePatch);
  Json next = old;
  MergePatch(next, *patch);
  // Only a revision that the patch itself names is a precondition.
  if (Find(*patch, {"metadata", "resourceVersion"}) == nullptr && next.is_object()) {
    ObjectAt(next.get_object(), "metadata").stable_erase("resourceVersion");
  }
  return next;
}

bool HasFinalizers(const Json& object) {
  const Json* list = Find(object, {"metadata", "finalizers"});
  return list != nullptr && list->is_array() && !list->get_array().empty();
}

TypeSpec SpecOfCrd(const Json& crd) {
  TypeSpec spec;
  spec.custom = true;
  spec.id.group = TextAt(crd, {"spec", "group"});
  spec.id.resource = TextAt(crd, {"spec", "names", "plural"});
  spec.kind = TextAt(crd, {"spec", "names", "kind"});
  spec.singular = TextAt(crd, {"spec", "names", "singular"});
  spec.namespaced = TextAt(crd, {"spec", "scope"}) != "Cluster";
  const Json* versions = Find(crd, {"spec", "versions"});
  if (versions != nullptr && versions->is_array() && !versions->get_array().empty()) {
    spec.id.version = TextAt(versions->get_array().front(), {"name"});
  }
  return spec;
}

Reply Success(const ResourceId& id, const Object& object) {
  JsonObject details;
  details["name"] = object.name();
  if (!id.group.empty()) details["group"] = id.group;
  details["kind"] = id.resource;
  details["uid"] = object.uid();
  return JsonReply(fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Success","details":{}}})",
      ToText(Json(std::move(details)))));
}

// Types whose DELETE answers with the object, as pods have graceful deletion.
bool AnswersWithObject(const ResourceId& id) {
  return id.group.empty() &&
         (id.resource == "pods" || id.resource == "services" || id.resource == "serviceaccounts");
}

}  // namespace

Reply Api::Create(const Call& call, Collection& collection) {
  auto body = BodyOf(call.request);
  if (const auto* error = std::get_if<ApiError>(&body)) return ReplyOf(*error);
  const TypeSpec& spec = collection.spec();
  const std::string& namespace_name = call.info.namespace_;
  if (spec.namespaced && namespace_name.empty()) {
    return ReplyOf(BadRequest("an empty namespace may not be set during creation"));
  }
  const auto namespaces = store_.Find("", "v1", "namespaces");
  if (spec.namespaced && !namespaces->tree().Find(namespace_name)) {
    return ReplyOf(ApiError::NotFound(namespaces->spec().id, namespace_name));
  }
  const WriteContext context{spec, namespace_name, ManagerOf(call.request), TimeText()};
  const std::string uid = population_.NewUid();
  auto prepared = PrepareNew(context, std::get<Json>(std::move(body)), uid, uid.substr(0, 5));
  if (const auto* error = std::get_if<ApiError>(&prepared)) return ReplyOf(*error);
  Json& object = std::get<Json>(prepared);
  const std::string name(TextAt(object, {"metadata", "name"}));
  if (collection.tree().Find(KeyOf(collection, namespace_name, name))) {
    return ReplyOf(AlreadyExists(spec.id, name));
  }
  if (!call.query.Text("dryRun").empty()) return JsonReply(ToText(object), 201);
  const auto stored = store_.PutJson(collection, object);
  if (!stored.ok()) return ReplyOf(BadRequest(std::string(Message(stored.status()))));
  AfterWrite(collection, nullptr, &object);
  return JsonReply(WholeObject(collection, **stored), 201);
}

Reply Api::Update(const Call& call, Collection& collection) {
  const ObjectRef old =
      collection.tree().Find(KeyOf(collection, call.info.namespace_, call.info.name));
  if (!old) return ReplyOf(ApiError::NotFound(collection.spec().id, call.info.name));
  auto before = ParseJson(WholeObject(collection, *old));
  if (!before.ok()) return ReplyOf(BadRequest(std::string(Message(before.status()))));
  auto next = call.info.verb == "patch" ? Patched(call.request, *before) : BodyOf(call.request);
  if (const auto* error = std::get_if<ApiError>(&next)) return ReplyOf(*error);
  const WriteContext context{collection.spec(),
                             collection.spec().namespaced ? call.info.namespace_ : "",
                             ManagerOf(call.request), TimeText()};
  auto prepared =
      PrepareUpdate(context, *before, std::get<Json>(std::move(next)), call.info.subresource);
  if (const auto* error = std::get_if<ApiError>(&prepared)) return ReplyOf(*error);
  return Replace(call, collection, *old, std::get<Json>(std::move(prepared)));
}

Reply Api::Replace(const Call& call, Collection& collection, const Object& old, Json object) {
  const std::string key(old.key());
  if (Find(object, {"metadata", "deletionTimestamp"}) != nullptr && !HasFinalizers(object)) {
    Remove(collection, key);
    return JsonReply(ToText(object));
  }
  // A write that changes nothing makes no revision.
  JsonObject& body = object.get_object();
  body["kind"] = collection.spec().kind;
  body["apiVersion"] = collection.spec().id.ApiVersion();
  OrderObject(collection.spec(), body);
  if (!call.query.Text("dryRun").empty()) return JsonReply(ToText(object));
  const auto before = ParseJson(WholeObject(collection, old));
  if (before.ok() && *before == object) return JsonReply(WholeObject(collection, old));
  const auto stored = store_.PutJson(collection, std::move(object));
  if (!stored.ok()) return ReplyOf(BadRequest(std::string(Message(stored.status()))));
  return JsonReply(WholeObject(collection, **stored));
}

Reply Api::Delete(const Call& call, Collection& collection) {
  const std::string key = KeyOf(collection, call.info.namespace_, call.info.name);
  const ObjectRef object = collection.tree().Find(key);
  if (!object) return ReplyOf(ApiError::NotFound(collection.spec().id, call.info.name));
  if (!call.request.body.empty()) {
    auto options = BodyOf(call.request);
    if (const auto* error = std::get_if<ApiError>(&options)) return ReplyOf(*error);
    const Json& wanted = std::get<Json>(options);
    const std::string_view uid = TextAt(wanted, {"preconditions", "uid"});
    const std::string_view revision = TextAt(wanted, {"preconditions", "resourceVersion"});
    if ((!uid.empty() && uid != object->uid()) ||
        (!revision.empty() && revision != std::to_string(object->revision().value))) {
      return ReplyOf(Conflict(collection.spec().id, call.info.name, "Precondition failed"));
    }
  }
  if (!call.query.Text("dryRun").empty()) return Success(collection.spec().id, *object);
  return DeleteObject(collection, key);
}

// Finalizers keep an object, marked, until whoever set them takes them off.
Reply Api::DeleteObject(Collection& collection, const std::string& key) {
  const ObjectRef object = collection.tree().Find(key);
  const std::string name(object->name());
  auto body = ParseJson(WholeObject(collection, *object));
  if (body.ok() && HasFinalizers(*body)) {
    JsonObject& metadata = ObjectAt(body->get_object(), "metadata");
    if (metadata.contains("deletionTimestamp")) return JsonReply(WholeObject(collection, *object));
    metadata["deletionTimestamp"] = TimeText();
    metadata["deletionGracePeriodSeconds"] = 0;
    const auto marked = store_.PutJson(collection, *std::move(body));
    if (!marked.ok()) return ReplyOf(BadRequest(std::string(Message(marked.status()))));
    return JsonReply(WholeObject(collection, **marked));
  }
  const ObjectRef last = Remove(collection, key);
  return AnswersWithObject(collection.spec().id) ? JsonReply(WholeObject(collection, *last))
                                                 : Success(collection.spec().id, *last);
}

ObjectRef Api::Remove(Collection& collection, const std::string& key) {
  const ObjectRef last = store_.Delete(collection, key);
  const auto body = ParseJson(WholeObject(collection, *last));
  const Json gone = body.ok() ? *body : Json();
  AfterWrite(collection, &*last, &gone);
  return last;
}

Reply Api::DeleteCollection(const Call& call, Collection& collection) {
  auto parsed = ParseListOptions(call.query, false);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return ReplyOf(*error);
  const auto& options = std::get<ListOptions>(parsed);
  const auto selection =
      SelectionOf(collection.spec(), call.info.namespace_, options.labels, options.fields);
  if (!selection.ok()) return ReplyOf(BadRequest(std::string(Message(selection.status()))));
  const Snapshot snapshot = collection.Now();
  for (auto at = snapshot.tree.Begin(); at.Valid(); at.Next()) {
    if (selection->Matches(*at)) DeleteObject(collection, std::string(at->key()));
  }
  return JsonReply(fmt::format(
      R"({{"kind":"{}","apiVersion":"{}","metadata":{{"resourceVersion":"{}"}},"items":[]}})",
      collection.spec().list_kind(), collection.spec().id.ApiVersion(), store_.revision().value));
}

// What other writes follow: a namespace takes its contents along, a CRD brings and takes its type.
// `old` is set for a deletion.
void Api::AfterWrite(const Collection& collection, const Object* old, const Json* now) {
  const std::string& kind = collection.spec().kind;
  if (kind == "Namespace" && old != nullptr) {
    const std::string prefix = std::string(old->name()) + "/";
    for (auto& [id, other] : store_.collections()) {
      if (!other->spec().namespaced) continue;
      for (;;) {
        const auto at = other->tree().LowerBound(prefix);
        if (!at.Valid() || !at->key().starts_with(prefix)) break;
        store_.Delete(*other, std::string(at->key()));
      }
    }
  }
  if (kind != "CustomResourceDefinition") return;
  TypeSpec spec = SpecOfCrd(*now);
  if (old != nullptr) {
    store_.Remove(spec.id);
  } else if (!spec.id.version.empty() && !spec.id.resource.empty()) {
    store_.Add(std::move(spec));
  }
}

}  // namespace weir::sim
