// The few values that the feed and discovery need from upstream's JSON beside what MetadataScanner
// finds.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/containers.h"
#include "protocol/base/status.h"
#include "protocol/k8s/resource.h"

namespace weir {

// metadata.resourceVersion of a bookmark's object, which has no name. InvalidArgument: none, or no
// number.
StatusOr<Revision> BookmarkRevision(std::string_view object);

// metadata.generation; 0 where there is none.
int64_t ObjectGeneration(std::string_view object);

// What a CustomResourceDefinition says of selectable fields: by version, the JSON paths. Versions
// that have none are left out.
StringMap<std::vector<std::string>> SelectablePaths(std::string_view crd);

// Whether an APIService hands its group and version to another server: spec.service is set.
bool IsAggregated(std::string_view api_service);

// "gitVersion" of a version document (/version); empty where there is none.
std::string ParseGitVersion(std::string_view document);
// The versions in an APIVersions document (/api): {"v1"}.
StatusOr<std::vector<std::string>> ParseCoreVersions(std::string_view document);
// The "group/version" names in an APIGroupList document (/apis).
StatusOr<std::vector<std::string>> ParseGroupVersions(std::string_view document);
// The resources in an APIResourceList document, without sub-resources.
StatusOr<std::vector<ResourceType>> ParseResources(std::string_view document,
                                                   std::string_view group,
                                                   std::string_view version);

}  // namespace weir
