// Groups that kube-apiserver serves itself: nobody else can, and their types are known beforehand.
#pragma once

#include <string_view>

namespace weir {

// All but a few that only kube-apiserver itself uses.
bool IsBuiltInGroup(std::string_view group);

}  // namespace weir
