// The sockets of the control port: one small request per connection.
#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "bench/sim/control.h"
#include "protocol/http/head.h"

namespace weir::sim {
namespace {

namespace beast = boost::beast;
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr uint32_t kMaxRequest = 16 * 1024;

std::string Response(const Reply& reply) {
  http::ResponseHead head;
  head.status = reply.status;
  head.headers.Add("Content-Type", reply.content_type);
  head.headers.Add("Content-Length", std::to_string(reply.body.size()));
  head.headers.Add("Connection", "close");
  std::string text;
  http::AppendResponseHead(head, text);
  return text + reply.body;
}

}  // namespace

StatusOr<std::unique_ptr<ControlServer>> ControlServer::Listen(net::io_context& io, uint16_t port,
                                                               Control& control,
                                                               const Server& server) {
  std::unique_ptr<ControlServer> self(new ControlServer(io, control, server));
  boost::system::error_code error;
  const net::ip::tcp::endpoint endpoint(net::ip::address_v4::loopback(), port);
  self->acceptor_.open(endpoint.protocol(), error);
  if (!error) self->acceptor_.set_option(net::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) self->acceptor_.bind(endpoint, error);
  if (!error) self->acceptor_.listen(16, error);
  if (error)
    return Unavailable(fmt::format("cannot listen on control port {}: {}", port, error.message()));
  return self;
}

void ControlServer::Start() {
  net::co_spawn(acceptor_.get_executor(), Accept(this), net::detached);
}

void ControlServer::Stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

net::awaitable<void> ControlServer::Accept(ControlServer* self) {
  while (self->acceptor_.is_open()) {
    auto [error, socket] = co_await self->acceptor_.async_accept(kTuple);
    if (error) break;
    auto shared = std::make_shared<net::ip::tcp::socket>(std::move(socket));
    net::co_spawn(self->acceptor_.get_executor(), Serve(self, std::move(shared)), net::detached);
  }
}

net::awaitable<void> ControlServer::Serve(ControlServer* self,
                                          std::shared_ptr<net::ip::tcp::socket> socket) {
  beast::flat_buffer input(kMaxRequest);
  beast::http::request_parser<beast::http::string_body> parser;
  parser.header_limit(kMaxRequest);
  parser.body_limit(kMaxRequest);
  const auto [error, size] = co_await beast::http::async_read(*socket, input, parser, kTuple);
  if (error) co_return;
  const std::string method(parser.get().method_string());
  const std::string target(parser.get().target());
  const std::string response =
      Response(self->control_.Handle(method, target, Now(), &self->server_.counters()));
  co_await net::async_write(*socket, net::buffer(response.data(), response.size()), kTuple);
}

}  // namespace weir::sim
