// One client's HTTPS connection: HTTP/1.1, one request after the other.
//
// All connections live on the simulator's one thread. A connection keeps itself alive until it is
// closed.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bench/sim/api.h"

namespace weir::sim {

namespace net = boost::asio;

struct ServerCounters {
  uint64_t connections = 0;  // Open.
  uint64_t accepted = 0;
  uint64_t requests = 0;
  uint64_t sent_bytes = 0;
};

// What connections share.
struct ServerContext {
  Api& api;
  Store& store;
  Faults& faults;
  ServerCounters counters;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(net::ip::tcp::socket socket, net::ssl::context& tls,
             std::shared_ptr<ServerContext> context);
  ~Connection();
  // Handshake and requests until the end; to be spawned with a reference of its own.
  static net::awaitable<void> Serve(std::shared_ptr<Connection> self);

 private:
  using Stream = net::ssl::stream<net::ip::tcp::socket>;
  enum class Framing : uint8_t { kLength, kChunked, kUntilClose };

  net::awaitable<bool> Handshake();
  // Nothing at the end of the connection.
  net::awaitable<std::optional<Request>> ReadRequest();
  net::awaitable<bool> Respond(std::shared_ptr<const Request> request);
  net::awaitable<bool> SendReply(const Request& request, const Reply& reply);
  net::awaitable<bool> SendList(const Request& request, ListCursor& list,
                                const std::string& resource);
  net::awaitable<bool> SendWatch(const Request& request, Watch& watch, const std::string& resource);
  net::awaitable<bool> SendEvents(const Request& request, Watch& watch,
                                  const std::string& resource);
  net::awaitable<bool> Write(std::string_view bytes);
  // Writes `bytes` as a chunk, or only half of it and then an abrupt end where the faults say so.
  net::awaitable<bool> WriteBody(const Request& request, std::string_view bytes,
                                 const std::string& resource);
  net::awaitable<bool> WaitForRevision(Revision revision);
  net::awaitable<void> WaitWhileStalled(const std::string& resource);
  net::awaitable<void> Sleep(TimePoint until);

  std::string Head(const Request& request, int status, std::string_view content_type,
                   const http::HeaderList& more, Framing framing, uint64_t length);
  // Watches the client's side during a stream, so that one who leaves is noticed.
  void ReadAhead();
  void ReadCertificate();
  void SetDeadline(Duration after);
  void Close();

  Stream stream_;
  const std::shared_ptr<ServerContext> context_;  // Outlives the server for the counters' sake.
  net::steady_timer deadline_;
  net::steady_timer wake_;
  boost::beast::flat_buffer input_;
  bool reading_ahead_ = false;
  bool gone_ = false;
  bool certificate_accepted_ = true;
  std::optional<ClientCertificate> certificate_;
};

TimePoint Now();

}  // namespace weir::sim
