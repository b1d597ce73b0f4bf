// What a LIST or WATCH of the simulator sees: scope, labels, and any field that the type supports.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bench/sim/store.h"
#include "cache/filter.h"
#include "protocol/base/status.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"

namespace weir::sim {

// Immutable.
class Selection {
 public:
  Selection() = default;
  // InvalidArgument: a field that the type does not support, with upstream's text.
  static StatusOr<Selection> Make(const TypeSpec& spec, std::string namespace_name,
                                  LabelSelector labels, const FieldSelector& fields);

  bool Matches(const Object& object) const;
  // The snapshot and filter that a ListCursor needs to list exactly what matches.
  Snapshot Reduce(const Snapshot& snapshot) const;
  const Filter& filter() const { return filter_; }

 private:
  Filter filter_;        // All, or what remains to be done when `other_` has been applied.
  FieldSelector other_;  // With fields that only the object's body has; empty for most.
};

}  // namespace weir::sim
