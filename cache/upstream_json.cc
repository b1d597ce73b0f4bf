#include "cache/upstream_json.h"

#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <simdjson.h>

namespace weir {
namespace {

using simdjson::dom::element;

std::string_view Text(const element& value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? text : std::string_view();
}

std::string_view Text(const element& object, const char* key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? text : std::string_view();
}

// Parses and calls `use` with the root; InvalidArgument where it is not JSON.
template <typename Use>
Status WithRoot(std::string_view json, Use use) {
  simdjson::dom::parser parser;
  element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root)) {
    return InvalidArgument(simdjson::error_message(error));
  }
  return use(root);
}

StatusOr<simdjson::dom::array> Array(const element& object, const char* key) {
  simdjson::dom::array array;
  if (object[key].get(array) != simdjson::SUCCESS)
    return InvalidArgument(fmt::format("no array \"{}\"", key));
  return array;
}

bool HasVerb(const element& resource, std::string_view verb) {
  const StatusOr<simdjson::dom::array> verbs = Array(resource, "verbs");
  if (!verbs.ok()) return false;
  for (const element& each : *verbs) {
    if (Text(each) == verb) return true;
  }
  return false;
}

ResourceType ToType(const element& resource, std::string_view group, std::string_view version) {
  ResourceType type;
  type.id = {std::string(group), std::string(version), std::string(Text(resource, "name"))};
  type.kind = Text(resource, "kind");
  bool namespaced = false;
  type.namespaced = resource["namespaced"].get(namespaced) == simdjson::SUCCESS && namespaced;
  type.can_get = HasVerb(resource, "get");
  type.can_list = HasVerb(resource, "list");
  type.can_watch = HasVerb(resource, "watch");
  return type;
}

}  // namespace

StatusOr<Revision> BookmarkRevision(std::string_view object) {
  Revision revision;
  WEIR_TRY(WithRoot(object, [&](const element& root) -> Status {
    std::string_view text;
    if (root["metadata"]["resourceVersion"].get(text) != simdjson::SUCCESS) {
      return InvalidArgument("a bookmark without resourceVersion");
    }
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), revision.value);
    if (error != std::errc() || end != text.data() + text.size()) {
      return InvalidArgument("a bookmark whose resourceVersion is no number");
    }
    return OkStatus();
  }));
  return revision;
}

int64_t ObjectGeneration(std::string_view object) {
  int64_t generation = 0;
  const Status status = WithRoot(object, [&](const element& root) {
    if (root["metadata"]["generation"].get(generation) != simdjson::SUCCESS) generation = 0;
    return OkStatus();
  });
  return status.ok() ? generation : 0;
}

StringMap<std::vector<std::string>> SelectablePaths(std::string_view crd) {
  StringMap<std::vector<std::string>> paths;
  // Most definitions have none, and many are large.
  if (crd.find(R"("selectableFields")") == std::string_view::npos) return paths;
  const Status status = WithRoot(crd, [&](const element& root) -> Status {
    WEIR_ASSIGN_OR_RETURN(const simdjson::dom::array versions, Array(root["spec"], "versions"));
    for (const element& version : versions) {
      const StatusOr<simdjson::dom::array> fields = Array(version, "selectableFields");
      if (!fields.ok()) continue;
      std::vector<std::string>& of_version = paths[std::string(Text(version, "name"))];
      for (const element& field : *fields) of_version.emplace_back(Text(field, "jsonPath"));
    }
    return OkStatus();
  });
  if (!status.ok()) paths.clear();
  return paths;
}

bool IsAggregated(std::string_view api_service) {
  bool aggregated = false;
  const Status status = WithRoot(api_service, [&](const element& root) {
    simdjson::dom::object service;
    aggregated = root["spec"]["service"].get(service) == simdjson::SUCCESS;
    return OkStatus();
  });
  return !status.ok() || aggregated;
}

std::string ParseGitVersion(std::string_view document) {
  std::string version;
  const Status status = WithRoot(document, [&](const element& root) {
    version = Text(root, "gitVersion");
    return OkStatus();
  });
  return status.ok() ? version : "";
}

StatusOr<std::vector<std::string>> ParseCoreVersions(std::string_view document) {
  std::vector<std::string> versions;
  WEIR_TRY(WithRoot(document, [&](const element& root) -> Status {
    WEIR_ASSIGN_OR_RETURN(const simdjson::dom::array array, Array(root, "versions"));
    for (const element& version : array) versions.emplace_back(Text(version));
    return OkStatus();
  }));
  return versions;
}

StatusOr<std::vector<std::string>> ParseGroupVersions(std::string_view document) {
  std::vector<std::string> names;
  WEIR_TRY(WithRoot(document, [&](const element& root) -> Status {
    WEIR_ASSIGN_OR_RETURN(const simdjson::dom::array groups, Array(root, "groups"));
    for (const element& group : groups) {
      const StatusOr<simdjson::dom::array> versions = Array(group, "versions");
      if (!versions.ok()) continue;
      for (const element& version : *versions) names.emplace_back(Text(version, "groupVersion"));
    }
    return OkStatus();
  }));
  return names;
}

StatusOr<std::vector<ResourceType>> ParseResources(std::string_view document,
                                                   std::string_view group,
                                                   std::string_view version) {
  std::vector<ResourceType> types;
  WEIR_TRY(WithRoot(document, [&](const element& root) -> Status {
    WEIR_ASSIGN_OR_RETURN(const simdjson::dom::array resources, Array(root, "resources"));
    for (const element& resource : resources) {
      if (Text(resource, "name").find('/') != std::string_view::npos) continue;
      types.push_back(ToType(resource, group, version));
    }
    return OkStatus();
  }));
  return types;
}

}  // namespace weir
