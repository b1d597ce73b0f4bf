#include "bench/sim/selection.h"

#include <fmt/format.h>

#include <utility>

namespace weir::sim {
namespace {

std::string Unsupported(const TypeSpec& spec, std::string_view field) {
  if (spec.custom || SelectableFields::BuiltIn(spec.id)->size() > 0) {
    return fmt::format("field label not supported: {}", field);
  }
  return fmt::format(
      R"("{}" is not a known field selector: only "metadata.name", "metadata.namespace")", field);
}

}  // namespace

StatusOr<Filter> SelectionOf(const TypeSpec& spec, std::string namespace_name, LabelSelector labels,
                             FieldSelector fields) {
  auto selectable = SelectableFields::BuiltIn(spec.id);
  for (const FieldSelector::Requirement& requirement : fields.requirements()) {
    const std::string_view field = requirement.field;
    const bool supported = field == "metadata.name" || field == "metadata.namespace" ||
                           selectable->Find(field).has_value();
    if (!supported) return InvalidArgument(Unsupported(spec, field));
  }
  return Filter(std::move(namespace_name), std::move(labels), std::move(fields),
                std::move(selectable));
}

}  // namespace weir::sim
