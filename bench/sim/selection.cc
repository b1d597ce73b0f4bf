#include "bench/sim/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace weir::sim {
namespace {

bool IsIndexed(const TypeSpec& spec, std::string_view field) {
  if (field == "metadata.name" || field == "metadata.namespace") return true;
  const bool pods = spec.id.group.empty() && spec.id.resource == "pods";
  return pods && (field == "spec.nodeName" || field == "spec.host");
}

bool IsSupported(const TypeSpec& spec, std::string_view field) {
  if (IsIndexed(spec, field)) return true;
  const auto fields = SupportedFields(spec.id);
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

std::string Unsupported(const TypeSpec& spec, std::string_view field) {
  if (spec.custom || !SupportedFields(spec.id).empty()) {
    return fmt::format("field label not supported: {}", field);
  }
  return fmt::format(
      R"("{}" is not a known field selector: only "metadata.name", "metadata.namespace")", field);
}

// "spec.nodeName" of an object, as text; "" where it is missing.
std::string FieldText(const Json& object, std::string_view field) {
  const Json* value = &object;
  for (std::string_view rest = field; value != nullptr && !rest.empty();) {
    const auto dot = rest.find('.');
    value = Find(*value, {rest.substr(0, dot)});
    rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
  }
  if (value == nullptr) {
    return field == "spec.hostNetwork" || field == "spec.unschedulable" ? "false" : "";
  }
  return value->is_string() ? std::string(value->get_string()) : ToText(*value);
}

}  // namespace

StatusOr<Selection> Selection::Make(const TypeSpec& spec, std::string namespace_name,
                                    LabelSelector labels, const FieldSelector& fields) {
  Selection selection;
  bool indexed = true;
  for (const FieldSelector::Requirement& requirement : fields.requirements()) {
    if (!IsSupported(spec, requirement.field)) {
      return InvalidArgument(Unsupported(spec, requirement.field));
    }
    indexed = indexed && IsIndexed(spec, requirement.field);
  }
  if (!indexed) selection.other_ = fields;
  selection.filter_ =
      Filter(std::move(namespace_name), std::move(labels), indexed ? fields : FieldSelector(),
             SelectableFields::BuiltIn(spec.id));
  return selection;
}

bool Selection::Matches(const Object& object) const {
  if (!filter_.Matches(object)) return false;
  if (other_.empty()) return true;
  const auto body = ParseJson(fmt::format("{{{}", object.rest()));
  if (!body.ok()) return false;
  return other_.Matches([&](std::string_view field) {
    return FieldText(*body, field == "spec.host" ? "spec.nodeName" : field);
  });
}

Snapshot Selection::Reduce(const Snapshot& snapshot) const {
  if (other_.empty()) return snapshot;
  std::vector<ObjectRef> matching;
  for (auto at = snapshot.tree.Begin(); at.Valid(); at.Next()) {
    if (Matches(*at)) matching.push_back(ObjectRef::Share(&*at));
  }
  return {ObjectTree::FromSorted(std::move(matching)), snapshot.revision, snapshot.form};
}

}  // namespace weir::sim
