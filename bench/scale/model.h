// What a cluster asks of the processes in front of it, from what single things cost: the tables of
// bench/scale.md. Pure arithmetic; `weir-scale --model` prints it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::scale {

// What single things cost a server. scale.md says where each number comes from.
struct Costs {
  std::string_view name;
  double base_bytes;        // Of the process, without objects and clients.
  double object_factor;     // Resident bytes for each of an object's.
  double connection_bytes;  // TLS, HTTP/2, no stream.
  double watch_bytes;       // A stream with a watch.
  double handshake_us;      // With a client certificate.
  double begin_us;          // A watch, until it is answered.
  double bookmark_us;
  double write_us;    // One event to one connection, alone in its write.
  double match_us;    // A further event to the same connection, in the same write.
  double byte_ns;     // Of what is written.
  double ingest_us;   // An event from upstream, or from etcd.
  double forward_us;  // A write of a client.
  double review_us;   // A SubjectAccessReview asked of the API server.
};
extern const Costs kWeir;
extern const Costs kKubeApiserver;

// How often things happen.
struct Rates {
  double lease_seconds = 10;                 // kubelet: a renewal, nodeLeaseDurationSeconds / 4.
  double node_status_seconds = 300;          // nodeStatusReportFrequency.
  double pod_life_seconds = 4 * 3600;        // A guess.
  double events_per_pod = 6;                 // Made, bound, two of its start, two of its end.
  double pods_per_node = 30;                 // 150,000 pods on 5,000 nodes.
  double slices_changed_per_5000_nodes = 1;  // A second. A guess.
  double watch_seconds = 450;                // client-go: 5 to 10 minutes.
  double reauthorize_seconds = 300;          // --watch-reauthorize-interval.
  double bookmark_seconds = 60;
  double latency_seconds = 0.1;  // How long an event may wait for others on its way to all nodes.
};

// What one of `replicas` processes bears of a cluster, in steady state.
struct Load {
  double connections = 0;
  double watches = 0;
  double memory_bytes = 0;       // User space.
  double kernel_bytes = 0;       // Of the sockets.
  double events_per_second = 0;  // From upstream.
  double deliveries_per_second = 0;
  double bytes_per_second = 0;  // To clients.
  double forwards_per_second = 0;
  double reviews_per_second = 0;
  // Cores, by what they do.
  double ingest_cores = 0, fan_out_cores = 0, bookmark_cores = 0, begin_cores = 0,
         forward_cores = 0, review_cores = 0;
  double cores() const {
    return ingest_cores + fan_out_cores + bookmark_cores + begin_cores + forward_cores +
           review_cores;
  }
};
Load LoadOf(const Costs& costs, const Rates& rates, double nodes, double replicas);

// All clients of one of `replicas` connect at once.
struct Storm {
  double handshake_cpu_seconds = 0;
  double begin_cpu_seconds = 0;
  double initial_bytes = 0;  // To all of them, compressed; none where they resume.
  double initial_cpu_seconds = 0;
};
Storm StormOf(const Costs& costs, double nodes, double replicas);

struct Host {
  std::string_view name;
  double cores;
  double memory_bytes;
  double bytes_per_second;  // Of its network.
  double descriptors;
};

// The share of each resource that is taken; above 1: too much.
struct Shares {
  double cores = 0, memory = 0, network = 0, descriptors = 0;
  double most() const;
  std::string_view scarcest() const;
};
Shares SharesOf(const Load& load, const Host& host);

// How many nodes one process on that host carries, at most.
size_t MostNodes(const Costs& costs, const Rates& rates, const Host& host);
// How many replicas on such hosts carry so many nodes; 0 where no number does.
size_t ReplicasFor(const Costs& costs, const Rates& rates, const Host& host, double nodes);

// All tables, as Markdown.
std::string ModelTables();

}  // namespace weir::scale
