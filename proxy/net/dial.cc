#include "proxy/net/dial.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

namespace weir {

namespace {
using Socket = net::basic_stream_socket<net::ip::tcp, IoExecutor>;
using Resolver = net::ip::basic_resolver<net::ip::tcp, IoExecutor>;
inline constexpr auto kAwait = net::as_tuple(net::use_awaitable_t<IoExecutor>());

void SetOption(int socket, int level, int option, int value) {
  setsockopt(socket, level, option, &value, sizeof(value));
}
}  // namespace

void TuneSocket(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
  SetOption(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 128 * 1024);
}

Async<StatusOr<int>> Dial(Worker& worker, std::string host, uint16_t port, TimePoint deadline) {
  Resolver resolver(worker.io());
  boost::system::error_code parse_error;
  const net::ip::address address = net::ip::make_address(host, parse_error);
  std::vector<net::ip::tcp::endpoint> endpoints;
  if (!parse_error) {
    endpoints.emplace_back(address, port);
  } else {
    auto [error, results] = co_await resolver.async_resolve(host, std::to_string(port), kAwait);
    if (error) co_return Unavailable(fmt::format("dial tcp: lookup {}: {}", host, error.message()));
    for (const auto& entry : results) endpoints.push_back(entry.endpoint());
  }

  std::string failure = "no address";
  for (const auto& endpoint : endpoints) {
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
