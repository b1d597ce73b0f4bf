// Objects as a real cluster's components write them: key order, managedFields, conditions and sizes
// included.
#pragma once

#include <string_view>

namespace weir::sim {

extern const std::string_view kPodTemplate;   // About 5 KB.
extern const std::string_view kNodeTemplate;  // About 4 KB.
extern const std::string_view kServiceTemplate;
extern const std::string_view kEndpointSliceTemplate;  // Without its endpoints.
extern const std::string_view kEndpointTemplate;
extern const std::string_view kLeaseTemplate;
extern const std::string_view kConfigMapTemplate;  // About 1.5 KB.
extern const std::string_view kSecretTemplate;
extern const std::string_view kNamespaceTemplate;
extern const std::string_view kCronTabTemplate;
extern const std::string_view kCronTabCrd;
extern const std::string_view kApiServiceTemplate;

}  // namespace weir::sim
