// Names of resource types and revisions, as Kubernetes uses them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace weir {

// An upstream resourceVersion: the etcd revision, passed through unchanged. 0 is "none".
struct Revision {
  uint64_t value = 0;
  friend auto operator<=>(const Revision&, const Revision&) = default;
};

// group + version + resource exactly as the client named it; Weir never converts versions.
struct ResourceId {
  std::string group;  // "" for the core group.
  std::string version;
  std::string resource;  // Plural, lower case: "pods".

  friend auto operator<=>(const ResourceId&, const ResourceId&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const ResourceId& id) {
    return H::combine(std::move(h), id.group, id.version, id.resource);
  }

  // "pods", "deployments.apps": how messages of the API server name it.
  std::string GroupResource() const { return group.empty() ? resource : resource + "." + group; }
  // "v1", "apps/v1".
  std::string ApiVersion() const { return group.empty() ? version : group + "/" + version; }
  // "/api/v1/pods", "/apis/apps/v1/deployments": the collection in all namespaces.
  std::string CollectionPath() const {
    return (group.empty() ? "/api/" + version : "/apis/" + group + "/" + version) + "/" + resource;
  }
  // "v1/pods", "apps/v1/deployments": for logs and health checks.
  std::string ToString() const { return ApiVersion() + "/" + resource; }
};

// What upstream's discovery says of a resource type.
struct ResourceType {
  ResourceId id;
  std::string kind;  // "Pod"
  bool namespaced = true;
  bool can_get = false;
  bool can_list = false;
  bool can_watch = false;
};

}  // namespace weir
