#include "bench/scale/node_plan.h"

#include <fmt/format.h>

#include <utility>

namespace weir::scale {

namespace {

constexpr std::string_view kProxySelector =
    "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";

constexpr std::string_view kController = "controller";

}  // namespace

const TypeFacts& FactsOf(Type type) {
  static const std::array<TypeFacts, kTypes> kFacts = {{
      {{"", "v1", "pods"}, "Pod", true, 3700},
      {{"", "v1", "nodes"}, "Node", false, 6000},
      {{"coordination.k8s.io", "v1", "leases"}, "Lease", true, 600},
      {{"", "v1", "services"}, "Service", true, 1200},
      {{"discovery.k8s.io", "v1", "endpointslices"}, "EndpointSlice", true, 8000},
      {{"", "v1", "configmaps"}, "ConfigMap", true, 1500},
      {{"", "v1", "secrets"}, "Secret", true, 1500},
      {{"storage.k8s.io", "v1", "csidrivers"}, "CSIDriver", false, 500},
      {{"node.k8s.io", "v1", "runtimeclasses"}, "RuntimeClass", false, 500},
      {{"networking.k8s.io", "v1", "servicecidrs"}, "ServiceCIDR", false, 500},
      {{"networking.k8s.io", "v1", "networkpolicies"}, "NetworkPolicy", true, 1000},
      {{"", "v1", "namespaces"}, "Namespace", false, 500},
  }};
  return kFacts[static_cast<size_t>(type)];
}

std::vector<WatchKind> PlanCluster(const ClusterShape& shape) {
  const size_t nodes = shape.nodes;
  const Select pods = shape.agents_of_all ? Select::kAll : Select::kOnNode;
  const Select own = shape.agents_of_all ? Select::kAll : Select::kNode;
  std::vector<WatchKind> plan = {
      {"kubelet", Type::kPods, Select::kOnNode, nodes, 1},
      {"kubelet", Type::kNodes, Select::kNode, nodes, 1},
      {"kubelet", Type::kServices, Select::kAll, nodes, 1},
      {"kubelet", Type::kCsiDrivers, Select::kAll, nodes, 1},
      {"kubelet", Type::kRuntimeClasses, Select::kAll, nodes, 1},
      {"kubelet", Type::kConfigMaps, Select::kNamed, nodes, shape.config_maps_per_node},
      {"kube-proxy", Type::kServices, Select::kProxied, nodes, 1},
      {"kube-proxy", Type::kEndpointSlices, Select::kProxied, nodes, 1},
      {"kube-proxy", Type::kNodes, Select::kNode, nodes, 1},
      {"kube-proxy", Type::kServiceCidrs, Select::kAll, nodes, 1},
      {"agent", Type::kPods, pods, nodes, 1},
      {"agent", Type::kNodes, own, nodes, 1},
      {"agent", Type::kNetworkPolicies, Select::kAll, nodes, 1},
      {"agent", Type::kNamespaces, Select::kAll, nodes, 1},
      {kController, Type::kPods, Select::kAll, shape.controllers, 1},
      {kController, Type::kNodes, Select::kAll, shape.controllers, 1},
      {kController, Type::kServices, Select::kAll, shape.controllers, 1},
      {kController, Type::kEndpointSlices, Select::kAll, shape.controllers, 1},
  };
  if (shape.cached_secrets)
    plan.push_back({"kubelet", Type::kSecrets, Select::kNamed, nodes, shape.secrets_per_node});
  return plan;
}

size_t CountWatches(const std::vector<WatchKind>& plan) {
  size_t count = 0;
  for (const WatchKind& kind : plan) count += kind.count();
  return count;
}

size_t WatchesPerNode(const std::vector<WatchKind>& plan) {
  size_t count = 0;
  for (const WatchKind& kind : plan) {
    if (kind.component != kController) count += kind.each;
  }
  return count;
}

Filter FilterOf(const WatchKind& kind, const ClusterShape& shape, size_t holder, size_t i) {
  const auto by = [&](std::string space, const std::string& field) {
    return Filter(std::move(space), LabelSelector(), FieldSelector::Parse(field).value(),
                  SelectableFields::BuiltIn(FactsOf(kind.type).id));
  };
  switch (kind.select) {
    case Select::kAll:
      return {};
    case Select::kProxied:
      return {"", LabelSelector::Parse(kProxySelector).value(), FieldSelector()};
    case Select::kOnNode:
      return by("", "spec.nodeName=" + NodeName(holder));
    case Select::kNode:
      return by("", "metadata.name=" + NodeName(holder));
    case Select::kNamed: {
      ObjectName of = NameOf(kind.type, shape, holder * kind.each + i);
      return by(std::move(of.space), "metadata.name=" + of.name);
    }
  }
  return {};
}

std::string NodeName(size_t node) { return fmt::format("node-{:06}", node); }

ObjectName NameOf(Type type, const ClusterShape& shape, size_t index) {
  const auto space = [&] { return fmt::format("tenant-{:04}", index % shape.namespaces); };
  switch (type) {
    case Type::kNodes:
      return {"", NodeName(index)};
    case Type::kLeases:
      return {"kube-node-lease", NodeName(index)};
    case Type::kPods:
      return {space(), fmt::format("web-6d4b75cb6d-{:07}", index)};
    case Type::kConfigMaps:
    case Type::kSecrets:
      return {space(), fmt::format("config-of-workload-{:07}", index)};
    default:
      return {FactsOf(type).namespaced ? space() : "", fmt::format("app-{:06}", index)};
  }
}

std::string_view NameOf(Event event) {
  static constexpr std::array<std::string_view, kEvents> kNames = {
      "status of a pod",     "lease",   "status of a node", "config map of nobody's",
      "config map of a pod", "service", "endpoint slice"};
  return kNames[static_cast<size_t>(event)];
}

Type TypeOf(Event event) {
  static constexpr std::array<Type, kEvents> kOf = {
      Type::kPods,       Type::kLeases,   Type::kNodes,         Type::kConfigMaps,
      Type::kConfigMaps, Type::kServices, Type::kEndpointSlices};
  return kOf[static_cast<size_t>(event)];
}

size_t Recipients(const std::vector<WatchKind>& plan, Event event) {
  size_t count = 0;
  for (const WatchKind& kind : plan) {
    if (kind.type != TypeOf(event)) continue;
    switch (kind.select) {
      case Select::kAll:
      case Select::kProxied:
        count += kind.count();
        break;
      case Select::kOnNode:
      case Select::kNode:
        count += kind.each;
        break;
      case Select::kNamed:
        if (event == Event::kOwnConfigMap && kind.count() > 0) ++count;
        break;
    }
  }
  return count;
}

}  // namespace weir::scale
