#include "cache/filter.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace weir {
namespace {

bool IsKeyPart(std::string_view field) {
  return field == "metadata.name" || field == "metadata.namespace";
}

}  // namespace

Filter::Filter(std::string namespace_name, LabelSelector labels, FieldSelector fields,
               std::shared_ptr<const SelectableFields> selectable)
    : namespace_(std::move(namespace_name)),
      labels_(std::move(labels)),
      fields_(std::move(fields)) {
  const auto& requirements = fields_.requirements();
  const bool compares =
      std::any_of(requirements.begin(), requirements.end(),
                  [](const auto& requirement) { return !IsKeyPart(requirement.field); });
  if (compares) selectable_ = std::move(selectable);
}

Filter Filter::Of(const ReadRequest& request, std::shared_ptr<const SelectableFields> selectable) {
  return Filter(request.namespace_, request.label_selector, request.field_selector,
                std::move(selectable));
}

std::string_view Filter::Text(const Object& object, const SelectableFields& selectable,
                              size_t field, std::string& scratch) {
  // A cache whose objects were recorded by another table is replaced with its feed.
  if (field >= object.field_count()) return {};
  const SelectableField& described = selectable[field];
  const std::string_view text = described.Text(object.field(field), object.encoding(), scratch);
  if (!text.empty() || !described.fallback) return text;
  const size_t other = *described.fallback;
  return other < object.field_count()
             ? selectable[other].Text(object.field(other), object.encoding(), scratch)
             : std::string_view();
}

bool Filter::FieldsMatch(const Object& object) const {
  std::string scratch;
  return fields_.Matches([&](std::string_view field) -> std::string_view {
    if (field == "metadata.name") return object.name();
    if (field == "metadata.namespace") return object.namespace_();
    const auto index = selectable_ ? selectable_->Find(field) : std::nullopt;
    return index ? Text(object, *selectable_, *index, scratch) : std::string_view();
  });
}

bool Filter::Matches(const Object& object) const {
  if (!namespace_.empty() && object.namespace_() != namespace_) return false;
  if (!fields_.empty() && !FieldsMatch(object)) return false;
  return labels_.empty() || labels_.Matches(object.labels());
}

bool Filter::name_only() const {
  if (!labels_.empty() || fields_.requirements().size() != 1) return false;
  const FieldSelector::Requirement& only = fields_.requirements().front();
  return only.field == "metadata.name" && only.equal && !only.value.empty();
}

std::optional<Filter::Required> Filter::required_field() const {
  if (!selectable_) return std::nullopt;
  for (const FieldSelector::Requirement& requirement : fields_.requirements()) {
    if (!requirement.equal || IsKeyPart(requirement.field)) continue;
    const auto index = selectable_->Find(requirement.field);
    if (index) return Required{*index, requirement.value};
  }
  return std::nullopt;
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
