// The bytes of FakeApiServer's objects, and the types that tests use.
#include <fmt/format.h>

#include "protocol/k8s/watch_frame.h"
#include "tests/fakes/fake_exchange.h"

namespace weir {
namespace {

std::string LabelsJson(const std::map<std::string, std::string>& labels) {
  std::string json = "{";
  for (const auto& [key, value] : labels) {
    json += fmt::format(R"({}"{}":"{}")", json.size() > 1 ? "," : "", key, value);
  }
  return json + "}";
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

std::string FakeApiServer::FrameOf(const Collection& collection, const Change& change,
                                   Encoding encoding) const {
  if (IsProtobuf(encoding)) return ProtobufFrame(collection.type, change, encoding);
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", TypeName(change.type),
                     ObjectJson(collection, change.after, true));
}

std::string FakeApiServer::BookmarkOf(const Collection& collection, uint64_t revision,
                                      Encoding encoding) const {
  const ResourceType& type = collection.type;
  if (IsProtobuf(encoding)) return ProtobufBookmark(type, revision, encoding);
  return BookmarkFrame(type.kind, type.id.ApiVersion(), collection.custom, Revision{revision},
                       false);
}

std::string FakeApiServer::ListOf(const Collection& collection, const std::vector<Stored>& stored,
                                  std::string_view token, std::string_view revision,
                                  Encoding encoding) const {
  const ResourceType& type = collection.type;
  if (IsProtobuf(encoding)) return ProtobufList(type, stored, token, revision, encoding);
  std::string items;
  for (const Stored& one : stored) {
    items += (items.empty() ? "" : ",") + ObjectJson(collection, one, collection.custom);
  }
  if (collection.custom) {
    return fmt::format(
        R"({{"apiVersion":"{}","items":[{}],"kind":"{}List","metadata":{{"continue":"{}","resourceVersion":"{}"}}}})"
        "\n",
        type.id.ApiVersion(), items, type.kind, token, revision);
  }
  return fmt::format(
      R"({{"kind":"{}List","apiVersion":"{}","metadata":{{"resourceVersion":"{}"{}}},"items":[{}]}})"
      "\n",
      type.kind, type.id.ApiVersion(), revision,
      token.empty() ? "" : fmt::format(R"(,"continue":"{}")", token), items);
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
