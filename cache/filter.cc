#include "cache/filter.h"

#include <utility>

#include "fmt/format.h"

namespace weir {

Filter::Filter(std::string namespace_name, LabelSelector labels, FieldSelector fields)
    : namespace_(std::move(namespace_name)),
      labels_(std::move(labels)),
      fields_(std::move(fields)) {}

Filter Filter::Of(const ReadRequest& request) {
  return Filter(request.namespace_, request.label_selector, request.field_selector);
}

bool Filter::Matches(const Object& object) const {
  if (!namespace_.empty() && object.namespace_() != namespace_) return false;
  if (!fields_.empty()) {
    const auto value_of = [&object](std::string_view field) -> std::string_view {
      if (field == "metadata.name") return object.name();
      if (field == "metadata.namespace") return object.namespace_();
      if (field == "spec.nodeName" || field == "spec.host") return object.node_name();
      return {};
    };
    if (!fields_.Matches(value_of)) return false;
  }
  return labels_.empty() || labels_.Matches(object.labels());
}

std::pair<std::string, std::string> Filter::KeyRange() const {
  std::string_view space = namespace_;
  if (space.empty()) space = fields_.RequiredValue("metadata.namespace").value_or("");
  // Without a namespace a name does not tell a key: it may be that of a namespaced object.
  if (space.empty()) return {};
  const std::string_view name = fields_.RequiredValue("metadata.name").value_or("");
  // '0' is the byte after '/', and NUL the lowest one.
  if (name.empty()) return {fmt::format("{}/", space), fmt::format("{}0", space)};
  const std::string key = fmt::format("{}/{}", space, name);
  return {key, key + '\0'};
}

std::string Filter::Canonical() const {
  return fmt::format("{}\n{}\n{}", namespace_, labels_.Canonical(), fields_.Canonical());
}

}  // namespace weir
