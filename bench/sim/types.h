// The resource types that the simulator serves, as discovery describes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/k8s/resource.h"

namespace weir::sim {

struct TypeSpec {
  ResourceId id;
  std::string kind;
  std::string singular;
  bool namespaced = true;
  bool custom = false;  // From a CRD: sorted keys, list items with kind and apiVersion.
  bool status_subresource = false;
  std::vector<std::string> short_names;
  std::vector<std::string> categories;

  std::string list_kind() const { return kind + "List"; }
};

// Types that only exist as requests: TokenReview and its like.
struct VirtualType {
  ResourceId id;
  std::string kind;
};

const std::vector<TypeSpec>& BuiltInTypes();
const std::vector<VirtualType>& VirtualTypes();

}  // namespace weir::sim
