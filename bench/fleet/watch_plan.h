// What the components of a node list and watch.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::fleet {

enum class Kind : uint8_t { kPods, kNodes, kServices, kConfigMaps, kEndpointSlices };
inline constexpr size_t kKinds = 5;
std::string_view KindName(Kind kind);

struct WatchTarget {
  Kind kind = Kind::kPods;
  std::string path;       // "/api/v1/pods"
  std::string selectors;  // "fieldSelector=…", escaped for a query; "" for none.
};

// What a real cluster has, as far as the plan needs names from it.
struct ClusterNames {
  struct ConfigMap {
    std::string namespace_, name;
  };
  std::vector<std::string> nodes;      // At least one.
  std::vector<ConfigMap> config_maps;  // May be empty.
};

// A kubelet's (own pods, own node, services, two config maps by name) and a kube-proxy's (services
// and endpoint slices without the headless ones). `node` counts from 0; more nodes than the cluster
// has share its names.
std::vector<WatchTarget> PlanNode(const ClusterNames& names, size_t node);
// How many watches that is.
size_t WatchesPerNode(const ClusterNames& names);

}  // namespace weir::fleet
