// Workers, TLS contexts and connected sockets for tests of the data path.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "proxy/net/dial.h"
#include "proxy/net/stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/worker.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/temp_folder.h"

namespace weir {

// Runs the coroutine that `make` returns on the worker, and waits for it. `make` may be a lambda
// with captures that is itself a coroutine: it outlives that here.
template <typename Make>
void RunOn(Worker& worker, Make make) {
  std::promise<void> done;
  worker.Post([&] {
    // A function's coroutine, since a capturing lambda must not be one.
    worker.Spawn([](Make* maker, std::promise<void>* finished) -> Async<void> {
      co_await (*maker)();
      finished->set_value();
    }(&make, &done));
  });
  done.get_future().wait();
}

// Runs `task` on the worker, and waits for it.
template <typename Task>
void CallOn(Worker& worker, Task task) {
  std::promise<void> done;
  worker.Post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

struct SocketPair {
  int client = -1, server = -1;
};

// Two ends of a TCP connection over the loopback, non-blocking. With small buffers a writer meets a
// full socket soon.
inline SocketPair ConnectedSockets(bool small_buffers = false) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int size = 8 * 1024;
  if (small_buffers) ::setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  EXPECT_EQ(::bind(listener, raw, length), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  ::getsockname(listener, raw, &length);
  SocketPair pair;
  pair.client = ::socket(AF_INET, SOCK_STREAM, 0);
  if (small_buffers) {
    ::setsockopt(pair.client, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    ::setsockopt(pair.client, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  }
  EXPECT_EQ(::connect(pair.client, raw, length), 0);
  pair.server = ::accept(listener, nullptr, nullptr);
  ::close(listener);
  if (small_buffers) ::setsockopt(pair.server, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  for (const int fd : {pair.client, pair.server}) {
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    TuneSocket(fd);
  }
  return pair;
}

// An authority, a server certificate for localhost and 127.0.0.1, and contexts of both sides.
class TlsPair {
 public:
  TlsPair()
      : ca_("test authority"),
        server_cert_(ca_.Issue({.subject = {{"CN", "server"}},
                                .extended_key_usage = "serverAuth",
                                .alt_names = "DNS:localhost,IP:127.0.0.1"})) {
    TlsServerContext::Options options;
    options.cert_file = folder_.Write("tls.crt", server_cert_.pem);
    options.key_file = folder_.Write("tls.key", server_cert_.key_pem);
    server_ = TlsServerContext::Make(options).value();
    options.http2 = false;
    http1_server_ = TlsServerContext::Make(options).value();
    TlsClientContext::Options client;
    client.ca_pem = ca_.certificate().pem;
    client_ = TlsClientContext::Make(client).value();
  }

  const TestCa& ca() const { return ca_; }
  const TestCertificate& server_certificate() const { return server_cert_; }
  const TempFolder& folder() const { return folder_; }
  SSL* NewServer() const { return server_->NewSsl(); }
  SSL* NewHttp1Server() const { return http1_server_->NewSsl(); }
  SSL* NewClient(const std::string& name = "localhost") const { return client_->NewSsl(name); }
  std::shared_ptr<const TlsServerContext> server() const { return server_; }

 private:
  TempFolder folder_;
  TestCa ca_;
  TestCertificate server_cert_;
  std::shared_ptr<const TlsServerContext> server_, http1_server_;
  std::shared_ptr<const TlsClientContext> client_;
};

// Two streams that are connected to each other, on one worker or on two.
struct StreamPair {
  StreamPair(Worker& client_worker, Worker& server_worker, const TlsPair* tls, bool small = false) {
    const SocketPair sockets = ConnectedSockets(small);
    client = std::make_unique<Stream>(client_worker, sockets.client,
                                      tls != nullptr ? tls->NewClient() : nullptr);
    server = std::make_unique<Stream>(server_worker, sockets.server,
                                      tls != nullptr ? tls->NewServer() : nullptr);
  }
  std::unique_ptr<Stream> client, server;
};

// Until `size` bytes have come, or the end, or an error.
inline Async<StatusOr<std::string>> ReadExactly(Stream& stream, size_t size) {
  std::string bytes(size, '\0');
  size_t got = 0;
  while (got < size) {
    const StatusOr<size_t> n = co_await stream.Read(bytes.data() + got, size - got);
    if (!n.ok()) co_return n.status();
    if (*n == 0) break;
    got += *n;
  }
  bytes.resize(got);
  co_return bytes;
}

}  // namespace weir
