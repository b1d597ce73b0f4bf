// Discovery in its old form (clients that ask for the aggregated one fall back), the version, and
// as much OpenAPI as makes kubectl validate on the server.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bench/sim/api.h"

namespace weir::sim {
namespace {

const char* const kVerbs[] = {"create", "delete", "deletecollection", "get",
                              "list",   "patch",  "update",           "watch"};

JsonArray Texts(const std::vector<std::string>& values) {
  JsonArray array;
  for (const std::string& value : values) array.emplace_back(value);
  return array;
}

JsonArray AllVerbs() {
  JsonArray array;
  for (const char* verb : kVerbs) array.emplace_back(verb);
  return array;
}

JsonObject ResourceEntry(const TypeSpec& spec) {
  JsonObject entry;
  entry["name"] = spec.id.resource;
  entry["singularName"] = spec.singular;
  entry["namespaced"] = spec.namespaced;
  entry["kind"] = spec.kind;
  entry["verbs"] = AllVerbs();
  if (!spec.short_names.empty()) entry["shortNames"] = Texts(spec.short_names);
  if (!spec.categories.empty()) entry["categories"] = Texts(spec.categories);
  entry["storageVersionHash"] = "c2ltdWxhdGU=";
  return entry;
}

JsonObject StatusEntry(const TypeSpec& spec) {
  JsonObject entry;
  entry["name"] = spec.id.resource + "/status";
  entry["singularName"] = "";
  entry["namespaced"] = spec.namespaced;
  entry["kind"] = spec.kind;
  entry["verbs"] = JsonArray{"get", "patch", "update"};
  return entry;
}

JsonObject ReviewEntry(const VirtualType& type) {
  JsonObject entry;
  entry["name"] = type.id.resource;
  entry["singularName"] = type.id.resource.substr(0, type.id.resource.size() - 1);
  entry["namespaced"] = type.id.resource == "localsubjectaccessreviews";
  entry["kind"] = type.kind;
  entry["verbs"] = JsonArray{"create"};
  return entry;
}

JsonObject GroupEntry(const std::string& group, const std::set<std::string>& versions) {
  JsonObject entry;
  entry["name"] = group;
  JsonArray list;
  for (const std::string& version : versions) {
    list.push_back(JsonObject{{"groupVersion", group + "/" + version}, {"version", version}});
  }
  entry["preferredVersion"] = list.front();
  entry["versions"] = std::move(list);
  return entry;
}

std::map<std::string, std::set<std::string>> GroupsOf(const Store& store) {
  std::map<std::string, std::set<std::string>> groups;
  for (const auto& [id, collection] : store.collections()) groups[id.group].insert(id.version);
  for (const VirtualType& type : VirtualTypes()) groups[type.id.group].insert(type.id.version);
  groups.erase("");
  return groups;
}

std::string Gvk(const TypeSpec& spec) {
  return fmt::format(R"({{"group":"{}","kind":"{}","version":"{}"}})", spec.id.group, spec.kind,
                     spec.id.version);
}

}  // namespace

Reply Api::GroupList() const {
  JsonArray groups;
  for (const auto& [group, versions] : GroupsOf(store_))
    groups.push_back(GroupEntry(group, versions));
  JsonObject list;
  list["kind"] = "APIGroupList";
  list["apiVersion"] = "v1";
  list["groups"] = std::move(groups);
  return JsonReply(ToText(Json(std::move(list))));
}

std::optional<Reply> Api::Group(std::string_view name) const {
  const auto groups = GroupsOf(store_);
  const auto found = groups.find(std::string(name));
  if (found == groups.end()) return {};
  JsonObject group;
  group["kind"] = "APIGroup";
  group["apiVersion"] = "v1";
  for (auto& member : GroupEntry(found->first, found->second)) group[member.key()] = member.value();
  return JsonReply(ToText(Json(std::move(group))));
}

std::optional<Reply> Api::Resources(std::string_view group, std::string_view version) const {
  JsonArray resources;
  for (const auto& [id, collection] : store_.collections()) {
    if (id.group != group || id.version != version) continue;
    resources.push_back(ResourceEntry(collection->spec()));
    if (collection->spec().status_subresource) resources.push_back(StatusEntry(collection->spec()));
  }
  for (const VirtualType& type : VirtualTypes()) {
    if (type.id.group == group && type.id.version == version)
      resources.push_back(ReviewEntry(type));
  }
  if (resources.empty()) return {};
  JsonObject list;
  list["kind"] = "APIResourceList";
  list["apiVersion"] = "v1";
  list["groupVersion"] = ResourceId{std::string(group), std::string(version), ""}.ApiVersion();
  list["resources"] = std::move(resources);
  return JsonReply(ToText(Json(std::move(list))));
}

Reply Api::OpenApiIndex() const {
  JsonObject paths;
  for (const auto& [id, collection] : store_.collections()) {
    const std::string path = (id.group.empty() ? "api/" : "apis/") + id.ApiVersion();
    paths[path] = JsonObject{{"serverRelativeURL", "/openapi/v3/" + path + "?hash=0"}};
  }
  return JsonReply(ToText(Json(JsonObject{{"paths", std::move(paths)}})));
}

// kubectl looks for one thing: whether PATCH of a kind knows `fieldValidation`. If so the server
// validates.
std::optional<Reply> Api::OpenApi(std::string_view group, std::string_view version) const {
  std::string paths;
  for (const auto& [id, collection] : store_.collections()) {
    if (id.group != group || id.version != version) continue;
    if (!paths.empty()) paths += ',';
    paths += fmt::format(
        R"("{}/{{name}}":{{"patch":{{"parameters":[{{"name":"fieldValidation","in":"query"}}],)"
        R"("x-kubernetes-group-version-kind":{}}}}})",
        id.CollectionPath(), Gvk(collection->spec()));
  }
  if (paths.empty()) return {};
  return JsonReply(fmt::format(
      R"({{"openapi":"3.0.0","info":{{"title":"weir-sim","version":"v1.37.2"}},"paths":{{{}}},"components":{{}}}})",
      paths));
}

std::optional<Reply> Api::Discover(const Call& call) {
  std::string path = call.info.path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (path == "/version") {
    return JsonReply(
        R"({"major":"1","minor":"37","gitVersion":"v1.37.2-weir-sim","gitCommit":"","gitTreeState":"clean",)"
        R"("buildDate":"2026-07-23T00:00:00Z","goVersion":"none","compiler":"gcc","platform":"linux/amd64"})");
  }
  if (path == "/api") {
    return JsonReply(R"({"kind":"APIVersions","versions":["v1"],"serverAddressByClientCIDRs":[]})");
  }
  if (path == "/apis") return GroupList();
  if (path == "/api/v1") return Resources("", "v1");
  if (path == "/openapi/v3") return OpenApiIndex();
  const bool open_api = path.starts_with("/openapi/v3");
  if (open_api) path = path.substr(std::string_view("/openapi/v3").size());
  if (open_api && path == "/api/v1") return OpenApi("", "v1");
  if (!path.starts_with("/apis/")) return {};
  path = path.substr(6);
  const auto slash = path.find('/');
  const std::string group = path.substr(0, slash);
  if (slash == std::string::npos) return open_api ? std::nullopt : Group(group);
  const std::string version = path.substr(slash + 1);
  return open_api ? OpenApi(group, version) : Resources(group, version);
}

}  // namespace weir::sim
