// What the registry reads in CustomResourceDefinitions and APIServices, which say what the other
// types are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/discovery.h"
#include "cache/object.h"

namespace weir {

inline const ResourceId kApiServices{"apiregistration.k8s.io", "v1", "apiservices"};
inline const ResourceId kCrds{"apiextensions.k8s.io", "v1", "customresourcedefinitions"};

// Changes with every change of a definition's spec; never 0.
int64_t CrdFact(const Object& object);
// By version, for the versions that have any.
CustomTypes::mapped_type SelectableFieldsOf(const Object& crd);
// 1: another server answers the group version.
int64_t ApiServiceFact(const Object& object);

// "v1.apps" → "apps/v1", "v1." → "v1": how APIServices are named.
std::string GroupVersionOf(std::string_view api_service);
// "crontabs.stable.example.com" → "stable.example.com".
std::string GroupOf(std::string_view crd);

}  // namespace weir
