#include "bench/scale/model.h"

#include <algorithm>
#include <array>
#include <vector>

#include "bench/scale/node_plan.h"

namespace weir::scale {

namespace {

constexpr double kComponents = 3;  // Kubelet, kube-proxy, agent: a connection each.
constexpr double kSocketBytes = 4000;
constexpr double kNodesPerService = 5;
constexpr double kSlicesPerService = 1;
constexpr double kCompressed = 5;   // How much smaller initial events are in gzip. A guess.
constexpr double kFrameBytes = 60;  // Around an event: record, DATA head, type.
constexpr double kBookmarkBytes = 180;
// All replicas keep all objects; connections and their work are shared.

double BytesOf(Type type) { return static_cast<double>(FactsOf(type).object_bytes); }

ClusterShape ShapeOf(double nodes) {
  ClusterShape shape;
  shape.nodes = static_cast<size_t>(nodes);
  return shape;
}

double ObjectBytes(const Rates& rates, double nodes) {
  const double services = nodes / kNodesPerService;
  return nodes * (rates.pods_per_node * BytesOf(Type::kPods) + BytesOf(Type::kNodes) +
                  BytesOf(Type::kLeases)) +
         services *
             (BytesOf(Type::kServices) + kSlicesPerService * BytesOf(Type::kEndpointSlices)) +
         nodes * BytesOf(Type::kConfigMaps);
}

}  // namespace

const Costs kWeir = {.name = "Weir",
                     .base_bytes = 15e6,
                     .object_factor = 1.05,
                     .connection_bytes = 35'028,
                     .watch_bytes = 1'718,
                     .handshake_us = 1'222,
                     .begin_us = 57,
                     .bookmark_us = 5.2,
                     .write_us = 17.7,
                     .match_us = 0.5,
                     .byte_ns = 0.5,
                     .ingest_us = 110,
                     .forward_us = 200,
                     .review_us = 170};

const Costs kKubeApiserver = {.name = "kube-apiserver",
                              .base_bytes = 290e6,
                              .object_factor = 8.5,
                              .connection_bytes = 38'000,
                              .watch_bytes = 50'000,
                              .handshake_us = 1'260,
                              .begin_us = 280,
                              .bookmark_us = 25,
                              .write_us = 25,
                              .match_us = 8.3,
                              .byte_ns = 0,    // Event size hardly matters.
                              .ingest_us = 0,  // Is in the write, which it takes itself.
                              .forward_us = 2'000,
                              .review_us = 0};

Load LoadOf(const Costs& costs, const Rates& rates, double nodes, double replicas) {
  constexpr double kMicro = 1e-6, kNano = 1e-9;
  const std::vector<WatchKind> plan = PlanCluster(ShapeOf(nodes));
  const auto watches_per_node = static_cast<double>(WatchesPerNode(plan));
  const double share = 1 / replicas;
  Load load;
  load.connections = nodes * kComponents * share;
  load.watches = nodes * watches_per_node * share;
  load.memory_bytes = costs.base_bytes + costs.object_factor * ObjectBytes(rates, nodes) +
                      load.connections * costs.connection_bytes + load.watches * costs.watch_bytes;
  load.kernel_bytes = load.connections * kSocketBytes;

  struct Stream {
    Event event;
    double per_second;
    bool to_all;  // Every node's connection gets every one, so many share a write.
  };
  const double pods = nodes * rates.pods_per_node * rates.events_per_pod / rates.pod_life_seconds;
  const double slices = nodes / 5000 * rates.slices_changed_per_5000_nodes;
  const std::array<Stream, 4> streams = {
      {{Event::kPodStatus, pods, false},
       {Event::kNodeStatus, nodes / rates.node_status_seconds, false},
       {Event::kEndpointSlice, slices, true},
       {Event::kLease, nodes / rates.lease_seconds, false}}};
  for (const Stream& stream : streams) {
    const auto recipients = static_cast<double>(Recipients(plan, stream.event)) * share;
    const double deliveries = stream.per_second * recipients;
    const double bytes = BytesOf(TypeOf(stream.event)) + kFrameBytes;
    load.events_per_second += stream.per_second;
    load.ingest_cores += stream.per_second * costs.ingest_us * kMicro;
    load.deliveries_per_second += deliveries;
    load.bytes_per_second += deliveries * bytes;
    double writes = deliveries;
    if (stream.to_all) writes = std::min(deliveries, recipients / rates.latency_seconds);
    load.fan_out_cores += writes * costs.write_us * kMicro +
                          (deliveries - writes) * costs.match_us * kMicro +
                          deliveries * bytes * costs.byte_ns * kNano;
  }
  const double bookmarks = load.watches / rates.bookmark_seconds;
  load.bookmark_cores = bookmarks * costs.bookmark_us * kMicro;
  load.bytes_per_second += bookmarks * kBookmarkBytes;
  const double begun = load.watches / rates.watch_seconds;
  load.begin_cores = begun * costs.begin_us * kMicro;
  // Leases and the status of nodes, and of each pod three of its six events, are written by
  // kubelets.
  load.forwards_per_second =
      share * (nodes / rates.lease_seconds + nodes / rates.node_status_seconds + pods / 2);
  load.forward_cores = load.forwards_per_second * costs.forward_us * kMicro;
  load.reviews_per_second = begun + load.watches / rates.reauthorize_seconds;
  load.review_cores = load.reviews_per_second * costs.review_us * kMicro;
  return load;
}

Storm StormOf(const Costs& costs, double nodes, double replicas) {
  const auto watches = static_cast<double>(WatchesPerNode(PlanCluster(ShapeOf(nodes))));
  const double here = nodes / replicas;
  const double services = nodes / kNodesPerService;
  Storm storm;
  storm.handshake_cpu_seconds = here * kComponents * costs.handshake_us * 1e-6;
  storm.begin_cpu_seconds = here * watches * costs.begin_us * 1e-6;
  // Services to kubelets and kube-proxies, endpoint slices to kube-proxies.
  storm.initial_bytes =
      here * services *
      (2 * BytesOf(Type::kServices) + kSlicesPerService * BytesOf(Type::kEndpointSlices)) /
      kCompressed;
  storm.initial_cpu_seconds = storm.initial_bytes * costs.byte_ns * 1e-9;
  return storm;
}

double Shares::most() const { return std::max({cores, memory, network, descriptors}); }

std::string_view Shares::scarcest() const {
  if (most() == cores) return "cores";
  if (most() == memory) return "memory";
  return most() == network ? "network" : "descriptors";
}

Shares SharesOf(const Load& load, const Host& host) {
  return {.cores = load.cores() / host.cores,
          .memory = (load.memory_bytes + load.kernel_bytes) / host.memory_bytes,
          .network = load.bytes_per_second / host.bytes_per_second,
          .descriptors = load.connections / host.descriptors};
}

size_t MostNodes(const Costs& costs, const Rates& rates, const Host& host) {
  size_t fits = 0;
  for (size_t step = size_t{1} << 17; step > 0; step /= 2) {
    const auto nodes = static_cast<double>(fits + step);
    if (SharesOf(LoadOf(costs, rates, nodes, 1), host).most() <= 1) fits += step;
  }
  return fits;
}

size_t ReplicasFor(const Costs& costs, const Rates& rates, const Host& host, double nodes) {
  constexpr size_t kMost = 1000;
  for (size_t replicas = 1; replicas <= kMost; ++replicas) {
    const Load load = LoadOf(costs, rates, nodes, static_cast<double>(replicas));
    if (SharesOf(load, host).most() <= 1) return replicas;
  }
  return 0;
}

}  // namespace weir::scale
