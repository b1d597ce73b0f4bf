#include "proxy/net/dial.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "proxy/net/signal.h"

namespace weir {

namespace {
using Socket = net::basic_stream_socket<net::ip::tcp, IoExecutor>;
using Resolver = net::ip::basic_resolver<net::ip::tcp, IoExecutor>;
inline constexpr auto kAwait = net::as_tuple(net::use_awaitable_t<IoExecutor>());

void SetOption(int socket, int level, int option, int value) {
  setsockopt(socket, level, option, &value, sizeof(value));
}

constexpr const char* kLookup = "weir.dev/lookup";

using TcpEndpoints = std::vector<net::ip::tcp::endpoint>;

struct Lookup {
  boost::system::error_code error;
  TcpEndpoints endpoints;
};

// The system's resolver, which nothing can interrupt: whoever waits may have gone before it is
// done.
Async<void> LookUp(std::shared_ptr<Resolver> resolver, std::string host, uint16_t port,
                   Promise<Lookup> found) {
  const std::string service = std::to_string(port);
  const auto [error, results] = co_await resolver->async_resolve(host, service, kAwait);
  Lookup lookup;
  lookup.error = error;
  for (const auto& entry : results) lookup.endpoints.push_back(entry.endpoint());
  found.Set(std::move(lookup));
}

Async<StatusOr<TcpEndpoints>> EndpointsOf(Worker& worker, std::string host, uint16_t port,
                                          TimePoint deadline) {
  boost::system::error_code parse_error;
  const net::ip::address address = net::ip::make_address(host, parse_error);
  if (!parse_error) co_return TcpEndpoints(1, net::ip::tcp::endpoint(address, port));
  const Promise<Lookup> found(worker);
  const auto resolver = std::make_shared<Resolver>(worker.io());
  worker.Spawn(LookUp(resolver, host, port, found));
  std::optional<Lookup> lookup = co_await found.Take(deadline);
  // One that has not begun, behind others in the worker's resolver, is never made.
  if (!lookup.has_value()) resolver->cancel();
  if (!lookup.has_value() || lookup->error) {
    const std::string why = lookup.has_value() ? lookup->error.message() : "i/o timeout";
    Status failed = Unavailable(fmt::format("dial tcp: lookup {}: {}", host, why));
    failed.SetPayload(kLookup, absl::Cord());
    co_return failed;
  }
  co_return std::move(lookup->endpoints);
}

}  // namespace

bool IsLookupFailure(const Status& status) { return status.GetPayload(kLookup).has_value(); }

void TuneSocket(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  SetOption(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
}

Async<StatusOr<std::vector<std::string>>> LookUpHost(Worker& worker, std::string host,
                                                     uint16_t port, TimePoint deadline) {
  const StatusOr<TcpEndpoints> endpoints = co_await EndpointsOf(worker, host, port, deadline);
  if (!endpoints.ok()) co_return endpoints.status();
  std::vector<std::string> addresses;
  for (const auto& endpoint : *endpoints) addresses.push_back(endpoint.address().to_string());
  co_return addresses;
}

Async<StatusOr<int>> Dial(Worker& worker, std::string host, uint16_t port, TimePoint deadline) {
  const StatusOr<TcpEndpoints> endpoints = co_await EndpointsOf(worker, host, port, deadline);
  if (!endpoints.ok()) co_return endpoints.status();
  std::string failure = "no address";
  for (const auto& endpoint : *endpoints) {
    const auto socket = std::make_shared<Socket>(worker.io());
    bool late = false;
    const Executor::TimerId timer = worker.After(deadline - worker.Now(), [socket, &late] {
      late = true;
      boost::system::error_code ignored;
      socket->close(ignored);
    });
    const auto [error] = co_await socket->async_connect(endpoint, kAwait);
    worker.Cancel(timer);
    // The timer may have closed the socket after the connection was there.
    if (!error && !late) {
      boost::system::error_code ignored;
      socket->non_blocking(true, ignored);
      const int fd = socket->release(ignored);
      TuneSocket(fd);
      co_return fd;
    }
    failure = late ? "i/o timeout" : error.message();
    if (late) break;
  }
  co_return Unavailable(fmt::format("dial tcp {}:{}: {}", host, port, failure));
}

}  // namespace weir
