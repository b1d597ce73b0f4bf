// A client's connection to a worker's service, byte for byte, over real sockets.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "proxy/session/connection.h"
#include "tests/proxy/session/session_fixture.h"

namespace weir {

inline constexpr const char* kAuth = "Host: weir\r\nAuthorization: Bearer alices-token\r\n";

class ConnectionTest : public SessionTest {
 protected:
  ConnectionTest() { client_worker_.Start(); }
  ~ConnectionTest() override {
    Hang();
    WaitUntil([this] { return shared_.connections.load() == 0; });
    client_worker_.Stop();
  }

  void Connect() {
    const SocketPair sockets = ConnectedSockets();
    worker_.Post([this, sockets] {
      worker_.Spawn(ServeConnection(service_, sockets.server, api_server_.tls().server()));
    });
    RunOn(client_worker_, [&]() -> Async<void> {
      stream_ =
          std::make_unique<Stream>(client_worker_, sockets.client, api_server_.tls().NewClient());
      const Status shaken = co_await stream_->Handshake(false);
      EXPECT_TRUE(shaken.ok()) << shaken;
    });
  }
  void Send(const std::string& bytes) {
    if (stream_ == nullptr) Connect();
    RunOn(client_worker_, [&]() -> Async<void> {
      stream_->Write(bytes);
      const Status sent = co_await stream_->Flush();
      EXPECT_TRUE(sent.ok()) << sent;
    });
  }
  static std::string Line(const std::string& request) { return request + " HTTP/1.1\r\n" + kAuth; }
  void Get(const std::string& target) { Send(Line("GET " + target) + "\r\n"); }

  // Until `end` has come. What follows stays for the next call.
  std::string ReadUntil(const std::string& end) {
    RunOn(client_worker_, [&]() -> Async<void> {
      std::string piece(4096, '\0');
      while (received_.find(end) == std::string::npos) {
        const auto got = co_await stream_->Read(piece.data(), piece.size());
        EXPECT_TRUE(got.ok() && *got > 0) << "before " << end << " after " << received_;
        if (!got.ok() || *got == 0) break;
        received_.append(piece, 0, *got);
      }
    });
    const size_t size = std::min(received_.size(), received_.find(end) + end.size());
    std::string text = received_.substr(0, size);
    received_.erase(0, size);
    return text;
  }
  // Until the connection's end, and whether that was a clean one.
  std::string ReadToEnd(bool* clean = nullptr) {
    RunOn(client_worker_, [&]() -> Async<void> {
      std::string piece(4096, '\0');
      for (;;) {
        const auto got = co_await stream_->Read(piece.data(), piece.size());
        if (clean != nullptr) *clean = got.ok();
        if (!got.ok() || *got == 0) break;
        received_.append(piece, 0, *got);
      }
    });
    return std::exchange(received_, {});
  }
  void Hang() {
    CallOn(client_worker_, [this] { stream_.reset(); });
    received_.clear();
  }
  void WaitUntil(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void ExpectAllOver() {
    WaitUntil([this] { return shared_.requests.load() == 0; });
    EXPECT_EQ(shared_.admission.forwards(), 0);
  }

  Worker client_worker_{1};
  std::unique_ptr<Stream> stream_;
  std::string received_;
};

}  // namespace weir
