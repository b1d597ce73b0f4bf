#include "bench/fleet/watch_plan.h"

#include <algorithm>

namespace weir::fleet {

namespace {

constexpr size_t kConfigMapsPerNode = 2;
// `!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name`, as kube-proxy asks.
constexpr std::string_view kProxySelector =
    "labelSelector=%21service.kubernetes.io%2Fheadless%2C%21service.kubernetes.io%2Fservice-proxy-"
    "name";

std::string ByName(const std::string& name) { return "fieldSelector=metadata.name%3D" + name; }

}  // namespace

std::string_view KindName(Kind kind) {
  static constexpr std::string_view kNames[kKinds] = {"pods", "nodes", "services", "configmaps",
                                                      "endpointslices"};
  return kNames[static_cast<size_t>(kind)];
}

size_t WatchesPerNode(const ClusterNames& names) {
  return 5 + std::min(kConfigMapsPerNode, names.config_maps.size());
}

std::vector<WatchTarget> PlanNode(const ClusterNames& names, size_t node) {
  const std::string& name = names.nodes[node % names.nodes.size()];
  std::vector<WatchTarget> plan = {
      {Kind::kPods, "/api/v1/pods", "fieldSelector=spec.nodeName%3D" + name},
      {Kind::kNodes, "/api/v1/nodes", ByName(name)},
      {Kind::kServices, "/api/v1/services", ""},
      {Kind::kServices, "/api/v1/services", std::string(kProxySelector)},
      {Kind::kEndpointSlices, "/apis/discovery.k8s.io/v1/endpointslices",
       std::string(kProxySelector)},
  };
  const size_t config_maps = names.config_maps.size();
  for (size_t i = 0; i < std::min(kConfigMapsPerNode, config_maps); ++i) {
    const auto& map = names.config_maps[(node + i) % config_maps];
    plan.push_back({Kind::kConfigMaps, "/api/v1/namespaces/" + map.namespace_ + "/configmaps",
                    ByName(map.name)});
  }
  return plan;
}

}  // namespace weir::fleet
