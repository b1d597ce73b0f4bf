// The whole simulator on one io_context: what main() starts, and tests too.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/sim/api.h"
#include "bench/sim/churn.h"
#include "bench/sim/control.h"
#include "bench/sim/faults.h"
#include "bench/sim/identity.h"
#include "bench/sim/population.h"
#include "bench/sim/server.h"
#include "bench/sim/store.h"

namespace weir::sim {

struct SimulatorOptions {
  Server::Options server;
  std::string data_dir;                   // Made up when `server` names no certificate.
  std::vector<std::string> server_names;  // More names and addresses for that certificate.
  std::string rules_file;
  std::optional<uint16_t> control_port;
  Sizes sizes;
  double churn = 0;  // Events per second.
  size_t history = 4096;
  uint64_t seed = 1;
};

class Simulator {
 public:
  // Makes certificates and objects and listens; nothing is answered before io.run().
  static StatusOr<std::unique_ptr<Simulator>> Make(net::io_context& io, SimulatorOptions options);

  uint16_t port() const { return server_->port(); }
  std::optional<uint16_t> control_port() const;
  const Store& store() const { return store_; }
  // Ends listeners and timers, so that io.run() may return once clients are gone.
  void Stop();

 private:
  Simulator(net::io_context& io, SimulatorOptions options);
  Status Prepare();
  Status PrepareCredentials();
  void Tick();

  net::io_context& io_;
  SimulatorOptions options_;
  Store store_;
  Population population_;
  Access access_;
  Faults faults_;
  std::optional<Churn> churn_;
  std::optional<Api> api_;
  std::optional<Control> control_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<ControlServer> control_server_;
  net::steady_timer timer_;
  TimePoint last_tick_, next_bookmarks_, next_progress_;
  bool stopped_ = false;
};

}  // namespace weir::sim
