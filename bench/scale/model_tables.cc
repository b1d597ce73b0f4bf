#include <fmt/format.h>

#include <array>
#include <iterator>

#include "bench/scale/model.h"

namespace weir::scale {

namespace {

constexpr std::array<double, 5> kNodes = {5'000, 20'000, 50'000, 75'000, 100'000};
constexpr std::array<Host, 2> kHosts = {{{"2 cores, 8 GB, 10 Gbit/s", 2, 8e9, 1.25e9, 1e6},
                                         {"32 cores, 128 GB, 25 Gbit/s", 32, 128e9, 3.125e9, 1e6}}};

template <typename... Args>
void Add(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

void AddLoads(std::string& out, const Costs& costs) {
  const Rates rates;
  Add(out,
      "One process of {} with all of the cluster:\n\n| nodes | connections; watches | memory, GB "
      "(sockets) | events in; deliveries; writes forwarded; reviews, each second | MB/s to clients "
      "| cores: intake; fan-out; bookmarks; begun watches; forwards; reviews | all |\n"
      "|---|---|---|---|---|---|---|\n",
      costs.name);
  for (const double nodes : kNodes) {
    const Load l = LoadOf(costs, rates, nodes, 1);
    Add(out,
        "| {:.0f} | {:.0f}; {:.2f} M | {:.1f} ({:.1f}) | {:.0f}; {:.0f}; {:.0f}; {:.0f} | {:.0f} | "
        "{:.2f}; {:.2f}; {:.2f}; {:.2f}; {:.2f}; {:.2f} | {:.1f} |\n",
        nodes, l.connections, l.watches / 1e6, l.memory_bytes / 1e9, l.kernel_bytes / 1e9,
        l.events_per_second, l.deliveries_per_second, l.forwards_per_second, l.reviews_per_second,
        l.bytes_per_second / 1e6, l.ingest_cores, l.fan_out_cores, l.bookmark_cores, l.begin_cores,
        l.forward_cores, l.review_cores, l.cores());
  }
  out += '\n';
}

void AddHosts(std::string& out, const Costs& costs) {
  const Rates rates;
  for (const Host& host : kHosts) {
    const size_t most = MostNodes(costs, rates, host);
    const Shares at = SharesOf(LoadOf(costs, rates, static_cast<double>(most), 1), host);
    Add(out, "| {} | {} | {} | {} ({:.0f} %; {:.0f} %; {:.0f} %; {:.0f} %) |", costs.name,
        host.name, most, at.scarcest(), at.cores * 100, at.memory * 100, at.network * 100,
        at.descriptors * 100);
    for (const double nodes : kNodes) {
      const size_t replicas = ReplicasFor(costs, rates, host, nodes);
      out += replicas == 0 ? " none |" : fmt::format(" {} |", replicas);
    }
    out += '\n';
  }
}

void AddStorms(std::string& out, const Costs& costs, const Host& host) {
  for (const double nodes : kNodes) {
    const size_t replicas = std::max<size_t>(ReplicasFor(costs, Rates(), host, nodes), 1);
    const Storm s = StormOf(costs, nodes, static_cast<double>(replicas));
    const double resume = s.handshake_cpu_seconds + s.begin_cpu_seconds;
    Add(out, "| {:.0f} | {} | {:.0f}; {:.0f} | {:.1f} | {:.0f} | {:.0f} | {:.1f} |\n", nodes,
        replicas, s.handshake_cpu_seconds, s.begin_cpu_seconds, resume / host.cores,
        s.initial_bytes / 1e9, s.initial_cpu_seconds,
        std::max(s.initial_bytes / host.bytes_per_second,
                 (resume + s.initial_cpu_seconds) / host.cores));
  }
}

}  // namespace

std::string ModelTables() {
  std::string out;
  AddLoads(out, kWeir);
  AddLoads(out, kKubeApiserver);
  out +=
      "| | host | most nodes of one process | what ends first (cores; memory; network; "
      "descriptors, taken) |";
  for (const double nodes : kNodes) Add(out, " replicas for {:.0f} |", nodes);
  out += "\n|---|---|---|---|---|---|---|---|---|\n";
  AddHosts(out, kWeir);
  AddHosts(out, kKubeApiserver);
  Add(out,
      "\nAll clients of one replica of Weir connect at once, {}:\n\n| nodes | replicas | CPU-s of "
      "handshakes; of begun watches | s, where all resume | GB of initial events, where none does "
      "| CPU-s of these | s |\n|---|---|---|---|---|---|---|\n",
      kHosts[1].name);
  AddStorms(out, kWeir, kHosts[1]);
  return out;
}

}  // namespace weir::scale
