// The bytes of FakeApiServer's objects, and the types that tests use.
#include <fmt/format.h>

#include "tests/fakes/fake_api_server.h"

namespace weir {
namespace {

std::string LabelsJson(const std::map<std::string, std::string>& labels) {
  std::string json = "{";
  for (const auto& [key, value] : labels) {
    json += fmt::format(R"({}"{}":"{}")", json.size() > 1 ? "," : "", key, value);
  }
  return json + "}";
}

std::string_view TypeName(FakeApiServer::Change::Type type) {
  switch (type) {
    case FakeApiServer::Change::Type::kAdded:
      return "ADDED";
    case FakeApiServer::Change::Type::kModified:
      return "MODIFIED";
    case FakeApiServer::Change::Type::kDeleted:
      return "DELETED";
  }
  return "?";
}

}  // namespace

std::string FakeApiServer::ObjectJson(const Collection& collection, const Stored& stored,
                                      bool with_type) const {
  const ResourceType& type = collection.type;
  const std::string revision = std::to_string(stored.revision.value);
  const std::string name_space =
      stored.namespace_.empty() ? "" : fmt::format(R"("namespace":"{}",)", stored.namespace_);
  const std::string labels = stored.fields.labels.empty()
                                 ? ""
                                 : fmt::format(R"("labels":{},)", LabelsJson(stored.fields.labels));
  const std::string generation = stored.fields.generation == 0
                                     ? ""
                                     : fmt::format(R"("generation":{},)", stored.fields.generation);
  std::string spec = stored.fields.spec_json;
  if (spec.empty()) {
    spec = stored.fields.node.empty() ? "{}"
                                      : fmt::format(R"({{"nodeName":"{}"}})", stored.fields.node);
  }
  if (collection.custom) {
    return fmt::format(
        R"({{"apiVersion":"{}","kind":"{}","metadata":{{{}{}"name":"{}",{}"resourceVersion":"{}","uid":"{}"}},"spec":{}}})",
        type.id.ApiVersion(), type.kind, generation, labels, stored.name, name_space, revision,
        stored.uid, spec);
  }
  const std::string prefix =
      with_type ? fmt::format(R"("kind":"{}","apiVersion":"{}",)", type.kind, type.id.ApiVersion())
                : "";
  return fmt::format(
      R"({{{}"metadata":{{"name":"{}",{}"uid":"{}","resourceVersion":"{}",{}{}"creationTimestamp":"2026-01-01T00:00:00Z"}},"spec":{}}})",
      prefix, stored.name, name_space, stored.uid, revision, generation, labels, spec);
}

std::string FakeApiServer::FrameOf(const Collection& collection, const Change& change) const {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", TypeName(change.type),
                     ObjectJson(collection, change.after, true));
}

ResourceType FakeType(std::string group, std::string version, std::string resource,
                      std::string kind, bool namespaced) {
  return {.id = {std::move(group), std::move(version), std::move(resource)},
          .kind = std::move(kind),
          .namespaced = namespaced,
          .can_get = true,
          .can_list = true,
          .can_watch = true};
}
ResourceType Pods() { return FakeType("", "v1", "pods", "Pod"); }
ResourceType Nodes() { return FakeType("", "v1", "nodes", "Node", false); }
ResourceType Leases() { return FakeType("coordination.k8s.io", "v1", "leases", "Lease"); }
ResourceType CronTabs() { return FakeType("stable.example.com", "v1", "crontabs", "CronTab"); }
ResourceType Crds() {
  return FakeType("apiextensions.k8s.io", "v1", "customresourcedefinitions",
                  "CustomResourceDefinition", false);
}
ResourceType ApiServices() {
  return FakeType("apiregistration.k8s.io", "v1", "apiservices", "APIService", false);
}

}  // namespace weir
