#include "bench/sim/server.h"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace weir::sim {
namespace {

constexpr auto kTuple = net::as_tuple(net::use_awaitable);

int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* in, unsigned int in_size, void*) {
  static constexpr unsigned char kHttp1[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, kHttp1, sizeof kHttp1 - 1, in, in_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

Server::Server(net::io_context& io, Options options, Api& api, Store& store, Faults& faults)
    : io_(io),
      options_(std::move(options)),
      tls_(net::ssl::context::tls_server),
      acceptor_(io),
      context_(new ServerContext{api, store, faults, {}}) {}

StatusOr<std::unique_ptr<Server>> Server::Listen(net::io_context& io, Options options, Api& api,
                                                 Store& store, Faults& faults) {
  std::unique_ptr<Server> server(new Server(io, std::move(options), api, store, faults));
  WEIR_TRY(server->LoadTls());
  WEIR_TRY(server->Bind());
  return server;
}

Status Server::LoadTls() {
  boost::system::error_code error;
  tls_.use_certificate_chain_file(options_.certificate_file, error);
  if (error)
    return InvalidArgument(fmt::format("{}: {}", options_.certificate_file, error.message()));
  tls_.use_private_key_file(options_.key_file, net::ssl::context::pem, error);
  if (error) return InvalidArgument(fmt::format("{}: {}", options_.key_file, error.message()));
  SSL_CTX* raw = tls_.native_handle();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_num_tickets(raw, 0);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(raw, SelectProtocol, nullptr);
  tls_.set_verify_mode(net::ssl::verify_peer);
  if (options_.client_ca_file.empty()) return OkStatus();
  tls_.load_verify_file(options_.client_ca_file, error);
  if (error)
    return InvalidArgument(fmt::format("{}: {}", options_.client_ca_file, error.message()));
  SSL_CTX_set_client_CA_list(raw, SSL_load_client_CA_file(options_.client_ca_file.c_str()));
  return OkStatus();
}

Status Server::Bind() {
  boost::system::error_code error;
  const auto address = net::ip::make_address(options_.address, error);
  if (error) return InvalidArgument(fmt::format("bad address {}", options_.address));
  const net::ip::tcp::endpoint endpoint(address, options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(net::ip::tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(net::socket_base::max_listen_connections, error);
  if (error) {
    return Unavailable(fmt::format("cannot listen on {}:{}: {}", options_.address, options_.port,
                                   error.message()));
  }
  return OkStatus();
}

void Server::Start() { net::co_spawn(io_, Accept(this), net::detached); }

void Server::Stop() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

net::awaitable<void> Server::Accept(Server* self) {
  while (self->acceptor_.is_open()) {
    auto [error, socket] = co_await self->acceptor_.async_accept(kTuple);
    if (error == net::error::operation_aborted) break;
    if (error) {  // Out of descriptors: give others time to end.
      net::steady_timer pause(self->io_);
      pause.expires_after(std::chrono::milliseconds(50));
      co_await pause.async_wait(kTuple);
      continue;
    }
    if (self->context_->counters.connections >= self->options_.max_connections) continue;
    boost::system::error_code ignored;
    socket.set_option(net::ip::tcp::no_delay(true), ignored);
    auto connection = std::make_shared<Connection>(std::move(socket), self->tls_, self->context_);
    net::co_spawn(self->io_, Connection::Serve(std::move(connection)), net::detached);
  }
}

}  // namespace weir::sim
