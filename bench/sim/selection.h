// What a LIST or WATCH of the simulator sees: scope, labels, and any field that the type supports.
#pragma once

#include <string>

#include "bench/sim/types.h"
#include "cache/filter.h"
#include "protocol/base/status.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"

namespace weir::sim {

// InvalidArgument: a field that the type does not support, with upstream's text.
StatusOr<Filter> SelectionOf(const TypeSpec& spec, std::string namespace_name, LabelSelector labels,
                             FieldSelector fields);

}  // namespace weir::sim
