// What a reader wants to see of one resource: scope and selectors, exactly as they were authorised.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/object.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/read_request.h"
#include "protocol/k8s/selectable_fields.h"

namespace weir {

// Immutable.
class Filter {
 public:
  Filter() = default;  // Everything.
  // `selectable` are the fields of the type; a requirement on any other field is compared with "".
  Filter(std::string namespace_name, LabelSelector labels, FieldSelector fields,
         std::shared_ptr<const SelectableFields> selectable = nullptr);
  // Scope and selectors of a LIST or WATCH in the cacheable grammar.
  static Filter Of(const ReadRequest& request, std::shared_ptr<const SelectableFields> selectable);

  bool Matches(const Object& object) const;
  bool everything() const { return namespace_.empty() && labels_.empty() && fields_.empty(); }
  // Nothing but (perhaps) a namespace: counts are exact without looking at objects.
  bool scope_only() const { return labels_.empty() && fields_.empty(); }

  // Nothing but `metadata.name=` some name, and (perhaps) a namespace.
  bool name_only() const;

  const std::string& namespace_name() const { return namespace_; }
  const LabelSelector& labels() const { return labels_; }
  const FieldSelector& fields() const { return fields_; }
  // The selectable field, by index, whose value the filter requires, and that value: the first
  // such.
  struct Required {
    size_t field;
    std::string_view value;
  };
  std::optional<Required> required_field() const;
  // What selectors compare of a field of `object`.
  static std::string_view Text(const Object& object, const SelectableFields& selectable,
                               size_t field, std::string& scratch);
  const std::shared_ptr<const SelectableFields>& selectable() const { return selectable_; }

  // The range of keys that can match: [first, second), second "" for no end. Of a namespace: "ns/"
  // … "ns0".
  std::pair<std::string, std::string> KeyRange() const;
  // Equal filters have equal text: watchers with equal filters share a view.
  std::string Canonical() const;

 private:
  bool FieldsMatch(const Object& object) const;

  std::string namespace_;
  LabelSelector labels_;
  FieldSelector fields_;
  std::shared_ptr<const SelectableFields> selectable_;  // Null where no field is compared.
};

}  // namespace weir
