// weir-scale: the watches of a whole cluster in one process, without sockets. See README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/scale/model.h"
#include "bench/scale/node_plan.h"
#include "bench/scale/simulated_process.h"

namespace weir::scale {
namespace {

constexpr int kSomethingWrong = 1;

struct Flags {
  ClusterShape shape;
  size_t workers = 2;
  size_t events = 1000;
  bool model = false;
};

void AddFlags(CLI::App& app, Flags& f) {
  app.add_option("--nodes", f.shape.nodes)->capture_default_str()->check(CLI::Range(1, 200'000));
  app.add_option("--workers", f.workers, "Workers of the process, each with its replicas")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_option("--pods-per-node", f.shape.pods_per_node, "Pods of 3.7 KB that are cached")
      ->capture_default_str()
      ->check(CLI::Range(1, 110));
  app.add_option("--config-maps-per-node", f.shape.config_maps_per_node,
                 "That a kubelet watches by name")
      ->capture_default_str()
      ->check(CLI::Range(0, 200));
  app.add_option("--secrets-per-node", f.shape.secrets_per_node, "Likewise, where they are cached")
      ->capture_default_str()
      ->check(CLI::Range(0, 200));
  app.add_option("--services", f.shape.services)
      ->capture_default_str()
      ->check(CLI::Range(1, 200'000));
  app.add_option("--controllers", f.shape.controllers, "That watch all of what changes")
      ->capture_default_str()
      ->check(CLI::Range(0, 1000));
  app.add_flag("--agents-of-all", f.shape.agents_of_all,
               "Each node's agent watches all pods and nodes");
  app.add_flag("--cache-secrets", f.shape.cached_secrets);
  app.add_option("--events", f.events, "Of each kind; a tenth of those that many want")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_flag("--model", f.model, "Only print the tables of bench/scale.md, from its constants");
}

std::string_view TextOf(Select select) {
  switch (select) {
    case Select::kAll:
      return "all";
    case Select::kProxied:
      return "without headless ones";
    case Select::kOnNode:
      return "of its node";
    case Select::kNode:
      return "its own";
    case Select::kNamed:
      return "one by name each";
  }
  return "";
}

void Row(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

// Begins all watches and prints a row of each kind.
void BeginAll(SimulatedProcess& process, const std::vector<WatchKind>& plan) {
  Row("| who | what | of which | watches | resident bytes each | CPU us each to begin |\n"
      "|---|---|---|---|---|---|\n");
  SimulatedProcess::Begun all;
  for (const WatchKind& kind : plan) {
    if (kind.count() == 0) continue;
    const SimulatedProcess::Begun begun = process.Begin(kind);
    const auto count = static_cast<double>(begun.watches);
    Row(fmt::format("| {} | {} | {} | {} | {:.0f} | {:.2f} |\n", kind.component,
                    FactsOf(kind.type).id.resource, TextOf(kind.select), begun.watches,
                    begun.resident_bytes / count, begun.cpu_seconds * 1e6 / count));
    all.watches += begun.watches;
    all.resident_bytes += begun.resident_bytes;
    all.cpu_seconds += begun.cpu_seconds;
  }
  const auto count = static_cast<double>(all.watches);
  Row(fmt::format("| all | | | {} | {:.0f} | {:.2f} |\n\n", all.watches, all.resident_bytes / count,
                  all.cpu_seconds * 1e6 / count));
  Row(fmt::format("{} watches took {:.0f} MB and {:.1f} s of one core.\n\n", all.watches,
                  all.resident_bytes / 1e6, all.cpu_seconds));
}

// Whether each event reached whom it should, and looked at nobody's filter in vain.
bool ChangeAll(SimulatedProcess& process, const std::vector<WatchKind>& plan, const Flags& flags) {
  constexpr size_t kMany = 1000;
  Row("| event | recipients | evaluations | gathers | CPU us to the log | CPU us of all workers | "
      "ns per recipient |\n|---|---|---|---|---|---|---|\n");
  bool right = true;
  for (const Event event : kAllEvents) {
    const size_t wanted = Recipients(plan, event);
    size_t events = flags.events;
    if (wanted > kMany) events = (events + 9) / 10;
    process.Change(event, 10);  // Warms up.
    const SimulatedProcess::Cost cost = process.Change(event, events);
    const auto count = static_cast<double>(cost.events);
    const double each = cost.worker_seconds * 1e6 / count;
    Row(fmt::format(
        "| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} |\n", NameOf(event), wanted,
        static_cast<double>(cost.evaluations) / count, static_cast<double>(cost.gathers) / count,
        cost.home_seconds * 1e6 / count, each,
        wanted == 0 ? "" : fmt::format("{:.0f}", each * 1e3 / static_cast<double>(wanted))));
    right = right && cost.events == events && cost.recipients == events * wanted &&
            (wanted > 0 || cost.evaluations == 0);
  }
  const SimulatedProcess::Cost minute = process.BookmarkMinute();
  const auto bookmarks = static_cast<double>(minute.events);
  Row(fmt::format("| a minute's bookmarks | {} | | {} | | {:.0f} | {:.0f} |\n\n", minute.events,
                  minute.gathers, minute.worker_seconds * 1e6,
                  minute.worker_seconds * 1e9 / bookmarks));
  return right && minute.events == process.watches();
}

int Run(const Flags& flags) {
  const std::vector<WatchKind> plan = PlanCluster(flags.shape);
  Row(fmt::format("{} nodes, {} workers, {} watches ({} a node)\n\n", flags.shape.nodes,
                  flags.workers, CountWatches(plan), WatchesPerNode(plan)));
  const double before = ResidentBytes();
  SimulatedProcess process(flags.shape, flags.workers);
  Row(fmt::format("{} objects: {:.0f} MB resident\n\n", process.objects(),
                  (ResidentBytes() - before) / 1e6));
  BeginAll(process, plan);
  if (!ChangeAll(process, plan, flags)) {
    std::fputs("weir-scale: not everybody got what he wanted, or somebody was asked in vain\n",
               stderr);
    return kSomethingWrong;
  }
  return 0;
}

}  // namespace
}  // namespace weir::scale

int main(int argc, char** argv) {
  CLI::App app("The watches of a cluster's nodes in one process: memory, and CPU per event");
  weir::scale::Flags flags;
  weir::scale::AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  if (flags.model) {
    std::fputs(weir::scale::ModelTables().c_str(), stdout);
    return 0;
  }
  return weir::scale::Run(flags);
}
