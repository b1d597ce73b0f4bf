#include "cache/definition_facts.h"

#include <algorithm>

#include "cache/upstream_json.h"

namespace weir {
namespace {

// The object as JSON, for the few that are decoded.
std::string ToJson(const Object& object) { return "{" + std::string(object.rest()); }

}  // namespace

// Every change of a definition's spec raises its generation (apiextensions-apiserver, strategy.go).
int64_t CrdFact(const Object& object) {
  return std::max<int64_t>(1, ObjectGeneration(ToJson(object)));
}

CustomTypes::mapped_type SelectableFieldsOf(const Object& crd) {
  CustomTypes::mapped_type fields;
  for (const auto& [version, paths] : SelectablePaths(ToJson(crd))) {
    fields[version] = SelectableFields::Custom(paths);
  }
  return fields;
}

int64_t ApiServiceFact(const Object& object) { return IsAggregated(ToJson(object)) ? 1 : 0; }

std::string GroupVersionOf(std::string_view api_service) {
  const size_t dot = api_service.find('.');
  if (dot == std::string_view::npos) return std::string(api_service);
  const std::string version(api_service.substr(0, dot));
  const std::string group(api_service.substr(dot + 1));
  return group.empty() ? version : group + "/" + version;
}

std::string GroupOf(std::string_view crd) {
  const size_t dot = crd.find('.');
  return dot == std::string_view::npos ? std::string() : std::string(crd.substr(dot + 1));
}

}  // namespace weir
