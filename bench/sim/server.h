// The simulator's HTTPS listener.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/sim/connection.h"
#include "protocol/base/status.h"

namespace weir::sim {

// Lives on the io_context's one thread, as all its connections. Connections outlive it only until
// the io_context stops.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 6443;  // 0: any.
    std::string certificate_file, key_file;
    std::string client_ca_file;  // "" for none: client certificates are then 401.
    uint64_t max_connections = 20'000;
  };

  // Unavailable: the address is taken. InvalidArgument: certificate or key.
  static StatusOr<std::unique_ptr<Server>> Listen(net::io_context& io, Options options, Api& api,
                                                  Store& store, Faults& faults);
  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  const ServerCounters& counters() const { return context_->counters; }
  void Start();
  void Stop();

 private:
  Server(net::io_context& io, Options options, Api& api, Store& store, Faults& faults);
  Status LoadTls();
  Status Bind();
  static net::awaitable<void> Accept(Server* self);

  net::io_context& io_;
  const Options options_;
  net::ssl::context tls_;
  net::ip::tcp::acceptor acceptor_;
  std::shared_ptr<ServerContext> context_;
};

}  // namespace weir::sim
