#include "proxy/net/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "protocol/base/log.h"
#include "proxy/net/dial.h"
#include "proxy/net/signal.h"

namespace weir {

namespace {
using Socket = net::basic_stream_socket<net::ip::tcp, IoExecutor>;
using Acceptor = net::basic_socket_acceptor<net::ip::tcp, IoExecutor>;
inline constexpr auto kAwait = net::as_tuple(net::use_awaitable_t<IoExecutor>());
constexpr Duration kPause = std::chrono::milliseconds(100);

int OpenReserve() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
}  // namespace

struct Listener::Impl {
  explicit Impl(Worker& w) : worker(w), acceptor(w.io()), reserve(OpenReserve()) {}
  ~Impl() {
    if (reserve >= 0) ::close(reserve);
  }
  Worker& worker;
  Acceptor acceptor;
  std::function<void(int)> on_socket;
  int reserve;  // A file descriptor that is given up to turn a client away; -1: there is none.

  void TurnOneAway();
  static Async<void> Accept(std::shared_ptr<Impl> self);
};

StatusOr<std::unique_ptr<Listener>> Listener::Open(Worker& worker, const std::string& host,
                                                   uint16_t port) {
  auto impl = std::make_shared<Impl>(worker);
  boost::system::error_code error;
  const net::ip::address address = net::ip::make_address(host, error);
  const net::ip::tcp::endpoint endpoint(address, port);
  if (!error) impl->acceptor.open(endpoint.protocol(), error);
  if (!error) impl->acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (!error) {
    const int on = 1;
    setsockopt(impl->acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    impl->acceptor.bind(endpoint, error);
  }
  if (!error) impl->acceptor.listen(4096, error);
  if (error) return Unavailable(fmt::format("listen on {}:{}: {}", host, port, error.message()));
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::~Listener() { Close(); }

uint16_t Listener::port() const {
  boost::system::error_code error;
  return impl_->acceptor.local_endpoint(error).port();
}

void Listener::Start(std::function<void(int)> on_socket) {
  impl_->on_socket = std::move(on_socket);
  impl_->worker.Spawn(Impl::Accept(impl_));
}

void Listener::Close() {
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
}

// So that who waits at the head of the queue learns it, rather than its time-out.
void Listener::Impl::TurnOneAway() {
  if (reserve >= 0) ::close(reserve);
  const int socket = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
  if (socket >= 0) ::close(socket);
  reserve = OpenReserve();
}

Async<void> Listener::Impl::Accept(std::shared_ptr<Impl> self) {
  Signal pause(self->worker);
  while (self->acceptor.is_open()) {
    Socket socket(self->worker.io());
    const auto [error] = co_await self->acceptor.async_accept(socket, kAwait);
    if (!self->acceptor.is_open()) co_return;
    if (error == boost::system::errc::connection_aborted) continue;  // It left the queue by itself.
    if (error) {  // Out of file descriptors or memory.
      Log(LogLevel::kError, "Cannot accept: a connection is closed, others wait",
          {{"err", error.message()}});
      self->TurnOneAway();
      co_await pause.Wait(self->worker.Now() + kPause);
      continue;
    }
    boost::system::error_code ignored;
    socket.non_blocking(true, ignored);
    const int fd = socket.release(ignored);
    TuneSocket(fd);
    self->on_socket(fd);
  }
}

}  // namespace weir
