#include "protocol/k8s/selectable_fields.h"

namespace weir {
namespace {

bool IsPods(const ResourceId& id) { return id == ResourceId{"", "v1", "pods"}; }

}  // namespace

std::string_view SelectableField::Text(std::string_view raw, Encoding /*encoding*/,
                                       std::string& /*scratch*/) const {
  return raw;
}

std::shared_ptr<const SelectableFields> SelectableFields::BuiltIn(const ResourceId& id) {
  if (!IsPods(id)) return std::make_shared<const SelectableFields>();
  std::vector<SelectableField> fields(1);
  fields[0].label = "spec.nodeName";
  fields[0].json_path = {"spec", "nodeName"};
  fields[0].proto_path = {2, 10};
  return std::make_shared<const SelectableFields>(std::move(fields));
}

std::optional<size_t> SelectableFields::Find(std::string_view label) const {
  if (label == "spec.host") label = "spec.nodeName";
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].label == label) return i;
  }
  return std::nullopt;
}

}  // namespace weir
