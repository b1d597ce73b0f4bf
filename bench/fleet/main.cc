// weir-fleet: the clients of N nodes, against any HTTPS endpoint. See README.md.
#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>

#include "bench/fleet/fleet.h"
#include "bench/fleet/kubeconfig_text.h"
#include "protocol/base/log.h"

namespace weir::fleet {
namespace {

constexpr int kSomethingWrong = 1;
constexpr int kBadUsage = 2;

struct Flags {
  FleetOptions fleet;
  std::string kubeconfig, server, token;
  std::string ca_file, cert_file, key_file;
  bool print_kubeconfig = false;
  double duration = 30;
  int64_t watch_timeout = 300;
  bool tolerate_errors = false;
};

void AddFlags(CLI::App& app, Flags& f) {
  app.add_option("--kubeconfig", f.kubeconfig, "Where to connect, and as whom");
  app.add_option("--server", f.server, "https://host:port; in place of the kubeconfig's");
  app.add_option("--ca", f.ca_file, "Who signed the server's certificate (PEM)");
  app.add_option("--token", f.token, "Bearer token");
  app.add_option("--client-cert", f.cert_file, "Client certificate (PEM)");
  app.add_option("--client-key", f.key_file, "Its key (PEM)");
  app.add_flag("--print-kubeconfig", f.print_kubeconfig,
               "Print a kubeconfig for what the options before come to, keys and token included, "
               "and connect to nothing");
  app.add_option("--nodes", f.fleet.nodes, "Nodes whose clients to play")
      ->capture_default_str()
      ->check(CLI::Range(1, 19'000));
  app.add_option("--duration", f.duration, "Seconds to run")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 1e6));
  app.add_option("--max-connections", f.fleet.max_connections, "Refuse to open more")
      ->capture_default_str()
      ->check(CLI::Range(1, 19'000));
  app.add_option("--workers", f.fleet.workers, "Threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  app.add_option("--ramp", f.fleet.ramp_seconds, "Seconds over which the clients start")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--watch-timeout", f.watch_timeout,
                 "timeoutSeconds of watches: one to two times this")
      ->capture_default_str()
      ->check(CLI::Range(1, 86'400));
  app.add_option("--sample-every", f.fleet.sample_every,
                 "Decode one node's events in so many, and compare them with lists at the end; 0: "
                 "none")
      ->capture_default_str();
  app.add_option("--settle", f.fleet.settle_seconds,
                 "Seconds that the comparison waits for events under way")
      ->capture_default_str();
  app.add_option("--time-annotation", f.fleet.time_annotation,
                 "An annotation that holds the Unix time of the change in nanoseconds");
  app.add_flag("--tolerate-errors", f.tolerate_errors,
               "Exit with 0 where connections failed but every stream was right");
}

StatusOr<std::string> ReadFile(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("cannot read " + path);
  return std::string{std::istreambuf_iterator<char>(file), {}};
}

StatusOr<UpstreamConfig> Endpoint(const Flags& f) {
  UpstreamConfig config;
  if (!f.kubeconfig.empty()) {
    WEIR_ASSIGN_OR_RETURN(config, ReadKubeconfig(f.kubeconfig));
  } else if (f.server.empty()) {
    return InvalidArgument("--kubeconfig or --server is needed");
  }
  if (!f.server.empty()) {
    config.servers = {f.server};
    config.tls_server_name.clear();
  }
  if (!f.token.empty()) config.token = f.token;
  if (!f.ca_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(config.ca_pem, ReadFile(f.ca_file));
    config.insecure_skip_tls_verify = false;
  }
  if (f.cert_file.empty() != f.key_file.empty())
    return InvalidArgument("--client-cert and --client-key come together");
  if (!f.cert_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(config.client_cert_pem, ReadFile(f.cert_file));
    WEIR_ASSIGN_OR_RETURN(config.client_key_pem, ReadFile(f.key_file));
  }
  return config;
}

void RaiseDescriptorLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

sigset_t BlockSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int Refuse(const Status& status) {
  fmt::print(stderr, "weir-fleet: {}\n", Message(status));
  return kBadUsage;
}

int Run(Flags& flags) {
  flags.fleet.watch_timeout = std::chrono::seconds(flags.watch_timeout);
  const StatusOr<UpstreamConfig> endpoint = Endpoint(flags);
  if (!endpoint.ok()) return Refuse(endpoint.status());
  if (flags.print_kubeconfig) {
    fmt::print("{}", KubeconfigText(*endpoint));
    return 0;
  }
  RaiseDescriptorLimit();
  const sigset_t signals = BlockSignals();
  const StatusOr<std::unique_ptr<Fleet>> fleet = Fleet::Make(*endpoint, flags.fleet);
  if (!fleet.ok()) return Refuse(fleet.status());

  (*fleet)->Start();
  const auto whole = static_cast<std::time_t>(flags.duration);
  const double rest = flags.duration - static_cast<double>(whole);
  const timespec duration{whole, static_cast<long>(rest * 1e9)};
  sigtimedwait(&signals, nullptr, &duration);       // A signal ends the run early, with a report.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);  // A second one ends it without.
  Duration elapsed{0};
  const Tally tally = (*fleet)->Finish(elapsed);
  fmt::print("nodes                 {} ({} watches)\n{}", flags.fleet.nodes, (*fleet)->watches(),
             Report(tally, elapsed));
  std::fflush(stdout);
  const bool wrong = !tally.consistent() || (tally.errors > 0 && !flags.tolerate_errors);
  return wrong ? kSomethingWrong : 0;
}

}  // namespace
}  // namespace weir::fleet

int main(int argc, char** argv) {
  CLI::App app("The watches that N nodes hold, against any HTTPS endpoint of Kubernetes' API.",
               "weir-fleet");
  weir::fleet::Flags flags;
  weir::fleet::AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  return weir::fleet::Run(flags);
}
