// What a reader wants to see of one resource: scope and selectors, exactly as they were authorised.
#pragma once

#include <string>
#include <string_view>

#include "cache/object.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/read_request.h"

namespace weir {

// Immutable.
class Filter {
 public:
  Filter() = default;  // Everything.
  Filter(std::string namespace_name, LabelSelector labels, FieldSelector fields);
  // Scope and selectors of a LIST or WATCH in the cacheable grammar.
  static Filter Of(const ReadRequest& request);

  bool Matches(const Object& object) const;
  bool everything() const { return namespace_.empty() && labels_.empty() && fields_.empty(); }
  // Nothing but (perhaps) a namespace: counts are exact without looking at objects.
  bool scope_only() const { return labels_.empty() && fields_.empty(); }

  const std::string& namespace_name() const { return namespace_; }
  const LabelSelector& labels() const { return labels_; }
  const FieldSelector& fields() const { return fields_; }
  // The range of keys that can match: [first, second), second "" for no end. Of a namespace: "ns/"
  // … "ns0".
  std::pair<std::string, std::string> KeyRange() const;
  // Equal filters have equal text: watchers with equal filters share a view.
  std::string Canonical() const;

 private:
  std::string namespace_;
  LabelSelector labels_;
  FieldSelector fields_;
};

}  // namespace weir
