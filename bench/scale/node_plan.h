// What the components of a cluster's nodes watch, and how many watches that is. The one place that
// knows; bench/scale.md quotes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cache/filter.h"
#include "protocol/k8s/resource.h"

namespace weir::scale {

enum class Type : uint8_t {
  kPods,
  kNodes,
  kLeases,
  kServices,
  kEndpointSlices,
  kConfigMaps,
  kSecrets,
  kCsiDrivers,
  kRuntimeClasses,
  kServiceCidrs,
  kNetworkPolicies,
  kNamespaces,
};
inline constexpr size_t kTypes = 12;
inline constexpr std::array<Type, kTypes> kAllTypes = {
    Type::kPods,           Type::kNodes,        Type::kLeases,          Type::kServices,
    Type::kEndpointSlices, Type::kConfigMaps,   Type::kSecrets,         Type::kCsiDrivers,
    Type::kRuntimeClasses, Type::kServiceCidrs, Type::kNetworkPolicies, Type::kNamespaces};

struct TypeFacts {
  ResourceId id;
  std::string_view kind;
  bool namespaced;
  size_t object_bytes;  // Of the objects that are made of it, about what protobuf has.
};
const TypeFacts& FactsOf(Type type);

struct ClusterShape {
  size_t nodes = 50'000;
  size_t pods_per_node = 10;
  size_t config_maps_per_node = 20;  // Distinct ones that a node's pods use, each watched by name.
  size_t secrets_per_node = 5;       // Likewise.
  size_t services = 10'000;          // With an endpoint slice each.
  size_t namespaces = 200;
  size_t controllers = 3;  // Processes that watch all pods, nodes, services and endpoint slices.
  // The agent of each node watches all pods and nodes, not only its own.
  bool agents_of_all = false;
  bool cached_secrets = false;  // Else they are forwarded and no watches of the cache.
};

enum class Select : uint8_t {
  kAll,
  kProxied,  // Without the headless ones, as kube-proxy asks.
  kOnNode,   // spec.nodeName.
  kNode,     // The node itself, by its name.
  kNamed,    // One object by namespace and name, another one for each watch.
};

// Watches of one kind: `each` for each of `holders`.
struct WatchKind {
  std::string_view component;  // "kubelet"
  Type type;
  Select select;
  size_t holders;  // Nodes, or controllers.
  size_t each;
  size_t count() const { return holders * each; }
};

// All watches of the cache that the cluster's nodes and controllers hold.
std::vector<WatchKind> PlanCluster(const ClusterShape& shape);
size_t CountWatches(const std::vector<WatchKind>& plan);
// The watches of one node alone. Connections: one for each component.
size_t WatchesPerNode(const std::vector<WatchKind>& plan);

// Of watch `i` of `holder`.
Filter FilterOf(const WatchKind& kind, const ClusterShape& shape, size_t holder, size_t i);

std::string NodeName(size_t node);
// Namespace and name of object `index` of a namespaced type; the namespace is "" for others. Of
// config maps and secrets those from nodes × each on are in nobody's pods.
struct ObjectName {
  std::string space, name;
};
ObjectName NameOf(Type type, const ClusterShape& shape, size_t index);

enum class Event : uint8_t {
  kPodStatus,
  kLease,
  kNodeStatus,
  kForeignConfigMap,  // That no pod uses.
  kOwnConfigMap,      // That pods of one node use.
  kService,
  kEndpointSlice,
};
inline constexpr size_t kEvents = 7;
inline constexpr std::array<Event, kEvents> kAllEvents = {
    Event::kPodStatus,    Event::kLease,   Event::kNodeStatus,   Event::kForeignConfigMap,
    Event::kOwnConfigMap, Event::kService, Event::kEndpointSlice};
std::string_view NameOf(Event event);
Type TypeOf(Event event);
// Which watches want one such event.
size_t Recipients(const std::vector<WatchKind>& plan, Event event);

}  // namespace weir::scale
