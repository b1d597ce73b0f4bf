// An HTTPS server on a thread of its own that answers as the test's script says, byte for byte.
//
//   ScriptedServer server;
//   server.OnRequest([](const ScriptedServer::Request& request) {
//     return ScriptedServer::Reply{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
//   });
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "protocol/http/head.h"
#include "proxy/net/http1_reader.h"
#include "proxy/net/listener.h"
#include "proxy/net/signal.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {

class ScriptedServer {
 public:
  struct Request {
    http::RequestHead head;
    std::string body;
    size_t connection = 0;                  // Counted from 0.
    std::vector<std::string> certificates;  // The client's, DER.
  };
  // kSwitch: what follows is no HTTP; it becomes the request's `body`, see also Finish().
  enum class After { kKeep, kClose, kCut, kSwitch };
  struct Reply {
    Reply(std::string b = "", After a = After::kKeep, bool r = true)  // NOLINT: from a literal.
        : bytes(std::move(b)), after(a), read_body(r) {}
    Reply(const char* b) : Reply(std::string(b)) {}  // NOLINT
    std::string bytes;                               // Empty: no answer yet; see Send().
    After after;
    bool read_body;  // Before the answer; else the script runs at the head.
  };
  // Called on the server's thread. `body` is still empty.
  using Script = std::function<Reply(const Request&)>;

  ScriptedServer() : listener_(Listener::Open(worker_, "127.0.0.1", 0).value()) {
    worker_.Start();
    CallOn(worker_, [this] {
      listener_->Start([this](int socket) { worker_.Spawn(Serve(this, socket, count_++)); });
    });
  }
  ~ScriptedServer() {
    CallOn(worker_, [this] { listener_->Close(); });
    worker_.Discard();
  }

  void OnRequest(Script script) {
    CallOn(worker_, [&] { script_ = std::move(script); });
  }
  uint16_t port() const { return listener_->port(); }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port()); }
  const TlsPair& tls() const { return tls_; }

  // All that came so far, bodies included.
  std::vector<Request> requests() {
    std::vector<Request> copy;
    CallOn(worker_, [&] { copy = requests_; });
    return copy;
  }
  size_t connections() {
    size_t count = 0;
    CallOn(worker_, [&] { count = count_; });
    return count;
  }
  size_t open_connections() {
    size_t count = 0;
    CallOn(worker_, [&] { count = streams_.size(); });
    return count;
  }
  // More bytes on a connection that is open.
  void Send(size_t connection, const std::string& bytes) {
    CallOn(worker_, [&] {
      if (const auto found = streams_.find(connection); found != streams_.end())
        found->second->Write(bytes);
    });
  }
  // Ends what the server says on the connection; it still listens.
  void Finish(size_t connection) {
    CallOn(worker_, [&] {
      if (const auto found = streams_.find(connection); found != streams_.end())
        found->second->FinishWriting();
    });
  }
  void Cut(size_t connection) {
    CallOn(worker_, [&] {
      if (const auto found = streams_.find(connection); found != streams_.end())
        found->second->Cut();
    });
  }

 private:
  static Async<void> Serve(ScriptedServer* self, int socket, size_t id) {
    Stream stream(self->worker_, socket, self->tls_.NewHttp1Server());
    const Status shaken = co_await stream.Handshake(true);
    if (!shaken.ok()) co_return;
    self->streams_[id] = &stream;
    Http1Reader reader(stream);
    bool more = true;
    while (more) more = co_await Answer(self, stream, reader, id);
    self->streams_.erase(id);
  }

  static Async<bool> Answer(ScriptedServer* self, Stream& stream, Http1Reader& reader, size_t id) {
    const auto bytes = co_await reader.ReadHead(size_t{1} << 20, std::chrono::hours(1));
    if (!bytes.ok() || bytes->empty()) co_return false;
    auto parsed = http::ParseRequestHead(*bytes, {.max_head_bytes = 1 << 20});
    if (!std::holds_alternative<http::RequestHead>(parsed)) co_return false;
    const size_t index = self->requests_.size();
    Request request;
    request.head = std::get<http::RequestHead>(std::move(parsed));
    request.connection = id;
    request.certificates = PeerCertificates(stream.ssl());
    reader.BeginBody(request.head.body);
    self->requests_.push_back(request);
    const Reply reply = self->script_ ? self->script_(request) : Reply();
    while (reply.read_body && !reader.body_done()) {
      const auto piece = co_await reader.ReadBody();
      if (!piece.ok()) co_return false;
      self->requests_[index].body += *piece;
    }
    if (!reply.bytes.empty()) {
      stream.Write(reply.bytes);
      const Status sent = co_await stream.Flush();
      if (!sent.ok()) co_return false;
    }
    if (reply.after == After::kSwitch) {
      self->requests_[index].body += reader.TakeUnread();
      co_return co_await Listen(self, stream, index);
    }
    if (reply.after == After::kCut) stream.Cut();
    if (reply.after != After::kKeep) co_return false;
    // What is not read now is never read: only its end is seen.
    while (!reply.read_body) {
      co_await stream.WaitReadable();
      if (!stream.failure().ok()) co_return false;
      Signal pause(self->worker_);
      co_await pause.Wait(self->worker_.Now() + std::chrono::milliseconds(1));
    }
    co_return true;
  }

  static Async<bool> Listen(ScriptedServer* self, Stream& stream, size_t index) {
    std::string piece(4096, '\0');
    for (;;) {
      const auto got = co_await stream.Read(piece.data(), piece.size());
      if (!got.ok() || *got == 0) break;
      self->requests_[index].body.append(piece, 0, *got);
    }
    co_return false;
  }

  TlsPair tls_;
  Worker worker_{7};
  std::unique_ptr<Listener> listener_;
  Script script_;
  size_t count_ = 0;
  std::vector<Request> requests_;
  std::map<size_t, Stream*> streams_;
};

inline std::string Answer200(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string Chunk(const std::string& data) {
  char size[18];
  const size_t length = http::WriteChunkHead(data.size(), size);
  return std::string(size, length) + data + "\r\n";
}

}  // namespace weir
