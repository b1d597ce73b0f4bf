#include "bench/sim/simulator.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>

#include "bench/sim/certificates.h"

namespace weir::sim {
namespace {

constexpr auto kTick = std::chrono::milliseconds(20);
constexpr auto kBookmarks = std::chrono::milliseconds(500);
constexpr auto kProgress =
    std::chrono::seconds(5);  // etcd's --watch-progress-notify-interval under kubeadm.

// A URL that clients on this machine can use.
std::string ServerUrl(const std::string& address, uint16_t port) {
  boost::system::error_code error;
  const auto parsed = net::ip::make_address(address, error);
  if (error || parsed.is_unspecified()) return fmt::format("https://127.0.0.1:{}", port);
  if (parsed.is_v6()) return fmt::format("https://[{}]:{}", address, port);
  return fmt::format("https://{}:{}", address, port);
}

}  // namespace

Simulator::Simulator(net::io_context& io, SimulatorOptions options)
    : io_(io),
      options_(std::move(options)),
      store_(options_.history),
      population_(store_, options_.sizes, options_.seed),
      timer_(io) {}

StatusOr<std::unique_ptr<Simulator>> Simulator::Make(net::io_context& io,
                                                     SimulatorOptions options) {
  std::unique_ptr<Simulator> simulator(new Simulator(io, std::move(options)));
  WEIR_TRY(simulator->Prepare());
  return simulator;
}

Status Simulator::PrepareCredentials() {
  Server::Options& server = options_.server;
  if (!options_.rules_file.empty()) WEIR_TRY(access_.Load(options_.rules_file));
  if (!server.certificate_file.empty()) return OkStatus();
  if (options_.data_dir.empty())
    return InvalidArgument("either a certificate or a data directory is needed");
  std::vector<std::string> names = options_.server_names;
  boost::system::error_code error;
  if (const auto address = net::ip::make_address(server.address, error);
      !error && !address.is_unspecified()) {
    names.push_back(server.address);
  }
  WEIR_ASSIGN_OR_RETURN(const CertificateFiles files, MakeCertificates(options_.data_dir, names));
  server.certificate_file = files.server_certificate;
  server.key_file = files.server_key;
  server.client_ca_file = files.ca;
  WEIR_ASSIGN_OR_RETURN(std::string token, ReadFile(options_.data_dir + "/token"));
  access_.AddToken(std::move(token), {"admin", "", {"system:masters"}, {}});
  return OkStatus();
}

Status Simulator::Prepare() {
  const bool own_credentials = options_.server.certificate_file.empty();
  WEIR_TRY(PrepareCredentials());
  WEIR_TRY(population_.Fill());
  if (!options_.server.client_ca_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(const std::string pem, ReadFile(options_.server.client_ca_file));
    WEIR_TRY(population_.PublishCertificateAuthority(pem));
  }
  churn_.emplace(store_, population_);
  churn_->SetRate(options_.churn);
  api_.emplace(store_, population_, access_, faults_, options_.seed);
  control_.emplace(store_, *api_, *churn_, faults_);
  WEIR_ASSIGN_OR_RETURN(server_, Server::Listen(io_, options_.server, *api_, store_, faults_));
  if (options_.control_port) {
    WEIR_ASSIGN_OR_RETURN(control_server_,
                          ControlServer::Listen(io_, *options_.control_port, *control_, *server_));
    control_server_->Start();
  }
  if (own_credentials) {
    WEIR_TRY(
        WriteKubeconfigs(options_.data_dir, ServerUrl(options_.server.address, server_->port())));
  }
  server_->Start();
  last_tick_ = next_bookmarks_ = next_progress_ = Now();
  Tick();
  return OkStatus();
}

std::optional<uint16_t> Simulator::control_port() const {
  return control_server_ == nullptr ? std::nullopt : std::optional(control_server_->port());
}

void Simulator::Tick() {
  const TimePoint now = Now();
  churn_->Run(now - last_tick_);
  last_tick_ = now;
  if (now >= next_progress_) {
    for (const auto& [id, collection] : store_.collections())
      collection->Advance(store_.revision());
    next_progress_ = now + kProgress;
  }
  if (now >= next_bookmarks_) {
    for (const auto& [id, collection] : store_.collections()) {
      for (Watch* watch : collection->watches()) watch->Tick(now);
    }
    next_bookmarks_ = now + kBookmarks;
  }
  timer_.expires_at(now + kTick);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error && !stopped_) Tick();
  });
}

void Simulator::Stop() {
  stopped_ = true;
  timer_.cancel();
  server_->Stop();
  if (control_server_ != nullptr) control_server_->Stop();
}

}  // namespace weir::sim
