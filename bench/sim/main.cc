// weir-sim: an API server in memory for laboratories and tests. See README.md.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>

#include "bench/sim/simulator.h"

namespace {

using weir::sim::Simulator;
using weir::sim::SimulatorOptions;

struct Flags {
  SimulatorOptions options;
  int control_port = -1;
  double duration = 0;
};

void AddFlags(CLI::App& app, Flags& flags) {
  auto& options = flags.options;
  app.add_option("--bind-address", options.server.address, "Address to listen on")
      ->capture_default_str();
  app.add_option("--secure-port", options.server.port, "Port; 0 for any")->capture_default_str();
  app.add_option("--tls-cert-file", options.server.certificate_file, "Serving certificate");
  app.add_option("--tls-private-key-file", options.server.key_file, "Its key");
  app.add_option("--client-ca-file", options.server.client_ca_file,
                 "Who signs client certificates");
  app.add_option("--max-connections", options.server.max_connections, "Connections at once")
      ->capture_default_str();
  app.add_option(
      "--data-dir", options.data_dir,
      "Where certificates, tokens and kubeconfigs are made when no certificate is given");
  app.add_option("--server-name", options.server_names,
                 "More names of the serving certificate made there");
  app.add_option("--rules", options.rules_file, "Tokens and what users may do (YAML)");
  app.add_option("--control-port", flags.control_port,
                 "Loopback port for faults and counters; 0 for any")
      ->check(CLI::Range(0, 65535));
  app.add_option("--nodes", options.sizes.nodes, "Nodes, each with a lease")->capture_default_str();
  app.add_option("--pods-per-node", options.sizes.pods_per_node, "Pods of each node")
      ->capture_default_str();
  app.add_option("--namespaces", options.sizes.namespaces, "Namespaces beside the usual ones")
      ->capture_default_str();
  app.add_option("--services", options.sizes.services, "Services, each with an endpoint slice")
      ->capture_default_str();
  app.add_option("--configmaps", options.sizes.configmaps, "ConfigMaps")->capture_default_str();
  app.add_option("--secrets", options.sizes.secrets, "Secrets")->capture_default_str();
  app.add_option("--crontabs", options.sizes.crontabs, "Custom resources")->capture_default_str();
  app.add_option("--churn", options.churn, "Events per second")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--history", options.history, "Changes kept per type")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--seed", options.seed, "Of names, identifiers and churn")->capture_default_str();
  app.add_option("--duration", flags.duration, "Seconds to run; 0 until SIGTERM")
      ->capture_default_str();
}

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Run(Flags flags) {
  boost::asio::io_context io(1);
  if (flags.control_port >= 0)
    flags.options.control_port = static_cast<uint16_t>(flags.control_port);
  const auto simulator = Simulator::Make(io, std::move(flags.options));
  if (!simulator.ok()) {
    fmt::print(stderr, "weir-sim: {}\n", weir::Message(simulator.status()));
    return 1;
  }
  // For scripts: the ports are known before the first request can be answered.
  fmt::print("port {}\n", (*simulator)->port());
  if (const auto port = (*simulator)->control_port()) fmt::print("control-port {}\n", *port);
  std::fflush(stdout);

  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code error, int) {
    if (!error) io.stop();
  });
  boost::asio::steady_timer timer(io);
  if (flags.duration > 0) {
    timer.expires_after(std::chrono::milliseconds(static_cast<int64_t>(flags.duration * 1000)));
    timer.async_wait([&](boost::system::error_code error) {
      if (!error) io.stop();
    });
  }
  io.run();
  (*simulator)->Stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("An API server in memory: nodes, pods and churn for laboratories and tests.",
               "weir-sim");
  Flags flags;
  AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  RaiseDescriptorLimit();
  return Run(std::move(flags));
}
