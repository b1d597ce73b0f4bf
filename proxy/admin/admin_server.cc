#include "proxy/admin/admin_server.h"

#include <fmt/format.h>
#include <pthread.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <exception>
#include <thread>
#include <variant>

#include "protocol/base/log.h"
#include "protocol/http/head.h"
#include "proxy/net/async.h"

namespace weir {
namespace {

using tcp = net::ip::tcp;
constexpr auto kAwait = net::as_tuple(net::use_awaitable_t<IoExecutor>());

constexpr size_t kMaxConnections = 64;
constexpr size_t kMaxHeadBytes = 8192;
constexpr auto kRequestTime = std::chrono::seconds(10);

using Socket = net::basic_stream_socket<tcp, IoExecutor>;
using Acceptor = net::basic_socket_acceptor<tcp, IoExecutor>;
using Timer = net::basic_waitable_timer<std::chrono::steady_clock,
                                        net::wait_traits<std::chrono::steady_clock>, IoExecutor>;

std::string Render(const AdminResponse& response, bool head_only, bool keep_alive) {
  http::ResponseHead head;
  head.status = response.status;
  head.reason = http::ReasonPhrase(response.status);
  head.headers.Add("Content-Type", response.content_type);
  head.headers.Add("X-Content-Type-Options", "nosniff");
  head.headers.Add("Cache-Control", "no-cache, private");
  head.headers.Add("Content-Length", fmt::format("{}", response.body.size()));
  if (!keep_alive) head.headers.Add("Connection", "close");
  std::string out;
  http::AppendResponseHead(head, out);
  if (!head_only) out += response.body;
  return out;
}

std::string RenderError(const http::HttpError& error) {
  AdminResponse response;
  response.status = error.status;
  response.body = error.text;
  return Render(response, false, false);
}

}  // namespace

struct AdminServer::Impl {
  explicit Impl(AdminSources s) : sources(std::move(s)) {}

  Async<void> Accept();
  Async<void> Serve(Socket socket);
  Async<bool> ServeOne(Socket& socket, std::string& buffer);
  Async<bool> ReadHead(Socket& socket, std::string& buffer, size_t& size);

  const AdminSources sources;
  net::io_context io{1};
  Acceptor acceptor{io.get_executor()};
  size_t connections = 0;
  std::thread thread;
};

Async<void> AdminServer::Impl::Accept() {
  while (acceptor.is_open()) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (error) {
      if (error == net::error::operation_aborted) co_return;
      // Out of descriptors, say: not a reason to spin.
      Timer pause(io.get_executor(), std::chrono::milliseconds(100));
      co_await pause.async_wait(kAwait);
      continue;
    }
    if (connections >= kMaxConnections) continue;  // Closes it.
    ++connections;
    net::co_spawn(io.get_executor(), Serve(std::move(socket)),
                  [this](const std::exception_ptr& failure) {
                    --connections;
                    if (failure != nullptr) Log(LogLevel::kError, "Admin request failed");
                  });
  }
}

Async<void> AdminServer::Impl::Serve(Socket socket) {
  std::string buffer;
  Timer deadline(io.get_executor());
  bool more = true;
  while (more) {
    deadline.expires_after(kRequestTime);
    deadline.async_wait([&socket](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) socket.close(ignored);
    });
    more = co_await ServeOne(socket, buffer);
    deadline.cancel();
    // The handler refers to the socket: let it go before either of them does.
    Timer turn(io.get_executor(), std::chrono::steady_clock::now());
    co_await turn.async_wait(kAwait);
  }
}

// Until `buffer` begins with a whole head of `size` bytes. False: the peer left, or sent too much.
Async<bool> AdminServer::Impl::ReadHead(Socket& socket, std::string& buffer, size_t& size) {
  size_t searched = 0;
  while (true) {
    if (const auto end = http::FindHeadEnd(buffer, searched)) {
      size = *end;
      co_return true;
    }
    if (buffer.size() > kMaxHeadBytes) co_return false;
    searched = buffer.size();
    char chunk[2048];
    const auto [error, got] = co_await socket.async_read_some(net::buffer(chunk), kAwait);
    if (error) co_return false;
    buffer.append(chunk, got);
  }
}

// Whether another request may follow.
Async<bool> AdminServer::Impl::ServeOne(Socket& socket, std::string& buffer) {
  size_t size = 0;
  const bool complete = co_await ReadHead(socket, buffer, size);
  if (!complete) co_return false;
  const auto parsed =
      http::ParseRequestHead(std::string_view(buffer).substr(0, size), http::HeadLimits());
  buffer.erase(0, size);
  std::string answer;
  bool keep_alive = false;
  if (const auto* const error = std::get_if<http::HttpError>(&parsed)) {
    answer = RenderError(*error);
  } else {
    const auto& head = std::get<http::RequestHead>(parsed);
    // Nobody has a reason to send a body here; without reading it the connection cannot go on.
    keep_alive = head.keep_alive && head.body.kind == http::BodyFraming::Kind::kNone;
    answer = Render(AnswerAdmin(head, sources), head.method == "HEAD", keep_alive);
  }
  const auto [error, sent] = co_await net::async_write(socket, net::buffer(answer), kAwait);
  co_return keep_alive && !error && sent == answer.size();
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminServer::~AdminServer() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

uint16_t AdminServer::port() const {
  boost::system::error_code ignored;
  return impl_->acceptor.local_endpoint(ignored).port();
}

StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(const std::string& host, uint16_t port,
                                                          AdminSources sources) {
  auto impl = std::make_unique<Impl>(std::move(sources));
  const auto wrong = [&](const boost::system::error_code& error) {
    return InvalidArgument(
        fmt::format("--admin-bind-address=\"{}:{}\": {}", host, port, error.message()));
  };
  boost::system::error_code error;
  tcp::resolver resolver(impl->io);
  const auto endpoints =
      resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error) return wrong(error);
  const tcp::endpoint endpoint = endpoints.begin()->endpoint();
  if (impl->acceptor.open(endpoint.protocol(), error); error) return wrong(error);
  impl->acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (impl->acceptor.bind(endpoint, error); error) return wrong(error);
  if (impl->acceptor.listen(64, error); error) return wrong(error);
  net::co_spawn(impl->io.get_executor(), impl->Accept(), net::detached);
  impl->thread = std::thread([raw = impl.get()] {
    pthread_setname_np(pthread_self(), "weir-admin");
    raw->io.run();
  });
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

}  // namespace weir
