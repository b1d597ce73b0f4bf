#include "bench/sim/write_rules.h"

#include <fmt/format.h>

#include "bench/sim/proto_body.h"
#include "bench/sim/request.h"

namespace weir::sim {
namespace {

constexpr std::string_view kOwnedMetadata[] = {"uid", "creationTimestamp", "deletionTimestamp",
                                               "deletionGracePeriodSeconds", "generation"};

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 253 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.:") ==
             std::string_view::npos &&
         name.front() != '-' && name.front() != '.' && name.back() != '-' && name.back() != '.';
}

ApiError InvalidName(const TypeSpec& spec, std::string_view name, std::string text) {
  ApiError error;
  error.code = 422;
  error.reason = "Invalid";
  error.message = fmt::format("{} \"{}\" is invalid: metadata.name: {}", spec.kind, name, text);
  error.has_details = true;
  error.details.name = name;
  error.details.group = spec.id.group;
  error.details.kind = spec.kind;
  error.details.causes.push_back({"FieldValueInvalid", std::move(text), "metadata.name"});
  return error;
}

// FieldsV1 of all that a writer set: objects become sets of "f:key", the rest leaves.
JsonObject FieldsOf(const JsonObject& object) {
  JsonObject fields;
  for (const auto& member : object) {
    const std::string key =
        fmt::format("f:{}", std::string_view(member.key().data(), member.key().size()));
    const JsonObject* inner = member.value().if_object();
    fields[key] = inner != nullptr ? FieldsOf(*inner) : JsonObject();
  }
  return fields;
}

JsonArray ManagedFields(const WriteContext& context, const JsonObject& object) {
  JsonObject written = object;
  for (const auto key : {"kind", "apiVersion", "status"}) written.stable_erase(key);
  JsonObject metadata;
  if (const Json* all = object.if_contains("metadata"); all != nullptr && all->is_object()) {
    for (const auto key : {"labels", "annotations", "ownerReferences", "finalizers"}) {
      if (const Json* value = all->get_object().if_contains(key)) metadata[key] = *value;
    }
  }
  written.stable_erase("metadata");
  if (!metadata.empty()) written["metadata"] = std::move(metadata);
  JsonObject entry;
  entry["manager"] = context.manager;
  entry["operation"] = "Update";
  entry["apiVersion"] = context.spec.id.ApiVersion();
  entry["time"] = context.now;
  entry["fieldsType"] = "FieldsV1";
  Json fields(FieldsOf(written));
  SortKeys(fields);
  entry["fieldsV1"] = std::move(fields);
  return JsonArray{std::move(entry)};
}

// Inserting into an object moves its members: no reference to one is kept across an insertion.
void FillByKind(const WriteContext& context, JsonObject& object) {
  const std::string& kind = context.spec.kind;
  if (kind == "Pod") {
    object["status"] = JsonObject{{"phase", "Pending"}, {"qosClass", "BestEffort"}};
  } else if (kind == "Namespace") {
    const Json name = ObjectAt(object, "metadata")["name"];
    ObjectAt(ObjectAt(object, "metadata"), "labels")["kubernetes.io/metadata.name"] = name;
    ObjectAt(object, "spec")["finalizers"] = JsonArray{"kubernetes"};
    object["status"] = JsonObject{{"phase", "Active"}};
  } else if (kind == "CustomResourceDefinition") {
    JsonArray conditions;
    for (const auto type : {"NamesAccepted", "Established"}) {
      conditions.push_back(JsonObject{{"type", type},
                                      {"status", "True"},
                                      {"lastTransitionTime", context.now},
                                      {"reason", "Accepted"},
                                      {"message", "accepted"}});
    }
    const JsonObject names = ObjectAt(ObjectAt(object, "spec"), "names");
    object["status"] = JsonObject{{"conditions", std::move(conditions)}, {"acceptedNames", names}};
  }
}

std::optional<ApiError> CheckType(const TypeSpec& spec, const Json& object) {
  const std::string_view kind = TextAt(object, {"kind"});
  const std::string_view version = TextAt(object, {"apiVersion"});
  if ((kind.empty() || kind == spec.kind) && (version.empty() || version == spec.id.ApiVersion()))
    return {};
  return BadRequest(
      fmt::format("the API version in the data ({}, Kind={}) does not match the expected API "
                  "version ({}, Kind={})",
                  version, kind, spec.id.ApiVersion(), spec.kind));
}

std::optional<ApiError> CheckNamespace(const WriteContext& context, const Json& object) {
  const std::string_view given = TextAt(object, {"metadata", "namespace"});
  if (!context.spec.namespaced || given.empty() || given == context.namespace_) return {};
  return BadRequest(
      "the namespace of the provided object does not match the namespace sent on the request");
}

void Restore(const JsonObject& from, JsonObject& to, std::string_view key) {
  const boost::json::string_view name(key.data(), key.size());
  if (const Json* value = from.if_contains(name)) {
    to[name] = *value;
  } else {
    to.stable_erase(name);
  }
}

bool SameValue(const JsonObject& a, const JsonObject& b, std::string_view key) {
  const boost::json::string_view name(key.data(), key.size());
  const Json* x = a.if_contains(name);
  const Json* y = b.if_contains(name);
  return x == nullptr || y == nullptr ? x == y : *x == *y;
}

// `status` is written through its own path and nothing else through it.
void KeepOtherPart(const TypeSpec& spec, std::string_view subresource, const JsonObject& old,
                   JsonObject& next) {
  if (!spec.status_subresource) return;
  if (subresource.empty()) {
    Restore(old, next, "status");
    return;
  }
  JsonObject kept = old;
  Restore(next, kept, "status");
  next = std::move(kept);
}

}  // namespace

std::variant<Json, ApiError> PrepareNew(const WriteContext& context, Json object,
                                        std::string_view uid, std::string_view suffix) {
  if (!object.is_object()) return BadRequest("the object provided is unrecognized");
  if (auto error = CheckType(context.spec, object)) return *std::move(error);
  if (auto error = CheckNamespace(context, object)) return *std::move(error);
  JsonObject& body = object.get_object();
  JsonObject& metadata = ObjectAt(body, "metadata");
  std::string name(TextAt(object, {"metadata", "name"}));
  const std::string_view generate = TextAt(object, {"metadata", "generateName"});
  if (name.empty() && generate.empty()) {
    return InvalidName(context.spec, "", "Required value: name or generateName is required");
  }
  if (name.empty()) name = fmt::format("{}{}", generate, suffix);
  if (!IsName(name)) {
    return InvalidName(context.spec, name,
                       fmt::format("Invalid value: \"{}\": a lowercase RFC 1123 subdomain must "
                                   "consist of lower case alphanumeric characters, '-' or '.'",
                                   name));
  }
  metadata["name"] = name;
  if (context.spec.namespaced) metadata["namespace"] = context.namespace_;
  for (const auto key : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"})
    metadata.stable_erase(key);
  metadata["uid"] = uid;
  metadata["creationTimestamp"] = context.now;
  if (body.contains("spec")) metadata["generation"] = 1;
  FillByKind(context, body);
  JsonArray managed = ManagedFields(context, body);
  ObjectAt(body, "metadata")["managedFields"] = std::move(managed);
  return object;
}

std::variant<Json, ApiError> PrepareUpdate(const WriteContext& context, const Json& old, Json next,
                                           std::string_view subresource) {
  if (!next.is_object()) return BadRequest("the object provided is unrecognized");
  if (auto error = CheckType(context.spec, next)) return *std::move(error);
  if (auto error = CheckNamespace(context, next)) return *std::move(error);
  const std::string name(TextAt(old, {"metadata", "name"}));
  const std::string_view wanted = TextAt(next, {"metadata", "resourceVersion"});
  if (!wanted.empty() && wanted != TextAt(old, {"metadata", "resourceVersion"})) {
    return Conflict(context.spec.id, name,
                    "the object has been modified; please apply your changes to the latest version "
                    "and try again");
  }
  if (const auto given = TextAt(next, {"metadata", "name"}); !given.empty() && given != name) {
    return BadRequest(fmt::format(
        "the name of the object ({}) does not match the name on the URL ({})", given, name));
  }
  if (const auto uid = TextAt(next, {"metadata", "uid"});
      !uid.empty() && uid != TextAt(old, {"metadata", "uid"})) {
    return Conflict(
        context.spec.id, name,
        fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                    TextAt(old, {"metadata", "uid"})));
  }
  const JsonObject& before = old.get_object();
  JsonObject& after = next.get_object();
  KeepOtherPart(context.spec, subresource, before, after);
  const JsonObject& old_metadata = before.at("metadata").get_object();
  JsonObject& metadata = ObjectAt(after, "metadata");
  metadata["name"] = name;
  if (context.spec.namespaced) metadata["namespace"] = context.namespace_;
  for (const std::string_view key : kOwnedMetadata) Restore(old_metadata, metadata, key);
  if (!metadata.contains("managedFields")) Restore(old_metadata, metadata, "managedFields");
  metadata["resourceVersion"] = TextAt(old, {"metadata", "resourceVersion"});
  if (const Json* generation = metadata.if_contains("generation");
      generation != nullptr && generation->is_int64() && !SameValue(before, after, "spec")) {
    metadata["generation"] = generation->get_int64() + 1;
  }
  return next;
}

std::variant<Json, ApiError> ParseBody(std::string_view content_type, std::string_view body) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  StatusOr<Json> parsed = Json();
  if (type.empty() || type == "application/json") {
    parsed = ParseJson(body);
  } else if (type == "application/vnd.kubernetes.protobuf") {
    parsed = ParseProtobufBody(body);
    if (!parsed.ok()) return UnsupportedMediaType("application/json");
  } else {
    return UnsupportedMediaType("application/json");
  }
  if (!parsed.ok()) return BadRequest(std::string(Message(parsed.status())));
  return *std::move(parsed);
}

ApiError AlreadyExists(const ResourceId& id, std::string_view name) {
  ApiError error = ApiError::NotFound(id, name);  // The same details.
  error.code = 409;
  error.reason = "AlreadyExists";
  error.message = fmt::format("{} \"{}\" already exists", id.GroupResource(), name);
  return error;
}

ApiError Conflict(const ResourceId& id, std::string_view name, std::string_view why) {
  ApiError error = ApiError::NotFound(id, name);
  error.code = 409;
  error.reason = "Conflict";
  error.message =
      fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", id.GroupResource(), name, why);
  return error;
}

ApiError UnsupportedMediaType(std::string_view accepted) {
  ApiError error;
  error.code = 415;
  error.reason = "UnsupportedMediaType";
  error.message = fmt::format(
      "the body of the request was in an unknown format - accepted media types include: {}",
      accepted);
  return error;
}

}  // namespace weir::sim
