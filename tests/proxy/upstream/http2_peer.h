// An API server that speaks HTTP/2 frame by frame, well or badly, on a thread of its own.
//
//   Http2Peer peer;
//   peer.OnRequest([&](const Http2Peer::Request& r) { peer.Answer(r, 200, "ok"); });
//
// It keeps to the windows it is given in what Answer() and Send() bring, and in nothing else.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/net/listener.h"
#include "tests/fakes/http2_frames.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {

class Http2Peer {
 public:
  struct Request {
    size_t connection = 0;  // Counted from 0.
    uint32_t stream = 0;
    Fields head;
    std::string body;
    bool ended = false;
    int reset = -1;                         // The code of the client's RST_STREAM.
    std::vector<std::string> certificates;  // The client's, DER.
    std::vector<std::string> never_indexed;

    std::string operator[](const std::string& name) const {
      for (const auto& [n, value] : head)
        if (n == name) return value;
      return "";
    }
  };
  // Called on the server's thread when a head is complete.
  using Script = std::function<void(const Request&)>;

  Http2Peer() : listener_(Listener::Open(worker_, "127.0.0.1", 0).value()) {
    worker_.Start();
    CallOn(worker_, [this] {
      listener_->Start([this](int socket) { worker_.Spawn(Serve(this, socket, count_++)); });
    });
  }
  ~Http2Peer() {
    CallOn(worker_, [this] { listener_->Close(); });
    worker_.Discard();
  }

  void OnRequest(Script script) {
    CallOn(worker_, [&] { script_ = std::move(script); });
  }
  std::string url() const { return "https://127.0.0.1:" + std::to_string(listener_->port()); }
  const TlsPair& tls() const { return tls_; }

  // Before a connection is made.
  std::string settings;    // The payload of its SETTINGS.
  bool gives_back = true;  // The windows of what requests bring, at once.
  bool answers_pings = true;

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
    CallOn(worker_, [&] { count = connections_.size(); });
    return count;
  }
  size_t pings() {
    size_t count = 0;
    CallOn(worker_, [&] { count = pings_; });
    return count;
  }
  // The `index`th request whose head has come, in order of arrival.
  Request Await(size_t index) {
    WaitUntil([&] { return requests().size() > index; });
    return requests()[index];
  }
  static void WaitUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 20000 && !condition(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(condition()) << "after 20 s";
  }

  // On its own thread, as a script does, or any other.
  void Answer(const Request& request, int status, const std::string& body,
              const Fields& more = {}) {
    Head(request, status, more, body.empty());
    if (!body.empty()) Send(request, body, /*end=*/true);
  }
  void Head(const Request& request, int status, const Fields& more = {}, bool end = false) {
    Run([&] {
      Fields fields = {{":status", std::to_string(status)}};
      fields.insert(fields.end(), more.begin(), more.end());
      WriteFields(request, fields, end);
    });
  }
  void Trailers(const Request& request, const Fields& fields) {
    Run([&] { WriteFields(request, fields, true); });
  }
  // As far as the windows let it; the rest when they do.
  void Send(const Request& request, const std::string& bytes, bool end = false) {
    Run([&] {
      const auto found = connections_.find(request.connection);
      if (found == connections_.end()) return;
      Outgoing& out = found->second->outgoing[request.stream];
      out.bytes += bytes;
      out.end = out.end || end;
      Pump(*found->second);
    });
  }
  // How much of what Send() brought has not gone out.
  size_t Held(const Request& request) {
    size_t held = 0;
    Run([&] {
      const auto found = connections_.find(request.connection);
      if (found != connections_.end()) held = found->second->outgoing[request.stream].bytes.size();
    });
    return held;
  }
  void SendFrame(size_t connection, uint8_t type, uint8_t flags, uint32_t stream,
                 const std::string& payload) {
    SendBytes(connection, FrameBytes(type, flags, stream, payload));
  }
  void SendBytes(size_t connection, const std::string& bytes) {
    Run([&] {
      const auto found = connections_.find(connection);
      if (found != connections_.end()) Write(*found->second->stream, bytes);
    });
  }
  void Reset(const Request& request, uint32_t code) {
    SendFrame(request.connection, NGHTTP2_RST_STREAM, 0, request.stream, Number32(code));
  }
  void GoAway(size_t connection, uint32_t last, uint32_t code = NGHTTP2_NO_ERROR) {
    SendFrame(connection, NGHTTP2_GOAWAY, 0, 0, Number32(last) + Number32(code));
  }
  void Cut(size_t connection) {
    Run([&] {
      const auto found = connections_.find(connection);
      if (found != connections_.end()) found->second->stream->Cut();
    });
  }

 private:
  struct Outgoing {
    std::string bytes;
    int64_t window = 0;
    bool known = false;  // `window` has been set.
    bool end = false;
  };
  struct Connection {
    size_t id = 0;
    Stream* stream = nullptr;
    HpackCoder coder;
    std::string block;
    int64_t window = 65535;
    int64_t initial_window = 65535;
    std::map<uint32_t, Outgoing> outgoing;
  };

  template <typename Task>
  void Run(Task task) {
    if (worker_.IsCurrent()) return task();
    CallOn(worker_, task);
  }

  // What the socket does not take goes out when it does.
  static void Write(Stream& stream, const std::string& bytes) {
    if (!stream.Write(bytes)) stream.OnDrained([] {});
  }

  static Async<void> Serve(Http2Peer* self, int socket, size_t id) {
    constexpr size_t kPreface = 24;
    constexpr size_t kHead = 9;
    Stream stream(self->worker_, socket, self->tls_.NewServer());
    const Status shaken = co_await stream.Handshake(true);
    if (!shaken.ok() || NegotiatedProtocol(stream.ssl()) != "h2") co_return;
    Connection connection;
    connection.id = id;
    connection.stream = &stream;
    self->connections_[id] = &connection;
    stream.Write(FrameBytes(NGHTTP2_SETTINGS, 0, 0, self->settings));
    std::string received;
    std::string piece(64 * 1024, '\0');
    size_t skip = kPreface;
    for (;;) {
      const auto got = co_await stream.Read(piece.data(), piece.size());
      if (!got.ok() || *got == 0) break;
      received.append(piece, 0, *got);
      if (received.size() < skip) continue;
      received.erase(0, std::exchange(skip, 0));
      while (received.size() >= kHead) {
        const size_t size = ReadNumber32(std::string(1, '\0') + received.substr(0, 3));
        if (received.size() < kHead + size) break;
        const Frame frame{static_cast<uint8_t>(received[3]), static_cast<uint8_t>(received[4]),
                          ReadNumber32(std::string_view(received).substr(5, 4)),
                          received.substr(kHead, size)};
        received.erase(0, kHead + size);
        self->Note(connection, frame);
      }
    }
    self->connections_.erase(id);
  }

  Outgoing& OutgoingOf(Connection& c, uint32_t stream) {
    Outgoing& out = c.outgoing[stream];
    if (!std::exchange(out.known, true)) out.window = c.initial_window;
    return out;
  }

  void Note(Connection& c, const Frame& frame) {
    const bool ack = (frame.flags & NGHTTP2_FLAG_ACK) != 0;
    const bool end = (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame.type) {
      case NGHTTP2_SETTINGS:
        for (size_t at = 0; !ack && at + 6 <= frame.payload.size(); at += 6) {
          if (frame.payload[at + 1] == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
            c.initial_window = ReadNumber32(std::string_view(frame.payload).substr(at + 2));
        }
        if (!ack) Write(*c.stream, FrameBytes(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
        break;
      case NGHTTP2_PING:
        ++pings_;
        if (!ack && answers_pings)
          Write(*c.stream, FrameBytes(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, frame.payload));
        break;
      case NGHTTP2_WINDOW_UPDATE:
        (frame.stream == 0 ? c.window : OutgoingOf(c, frame.stream).window) +=
            ReadNumber32(frame.payload);
        Pump(c);
        break;
      case NGHTTP2_HEADERS:
      case NGHTTP2_CONTINUATION:
        c.block += frame.payload;
        if (frame.type == NGHTTP2_HEADERS) ended_ = end;
        if ((frame.flags & NGHTTP2_FLAG_END_HEADERS) != 0) NoteRequest(c, frame.stream);
        break;
      case NGHTTP2_DATA:
        if (Request* const r = FindRequest(c, frame.stream); r != nullptr) {
          r->body += frame.payload;
          r->ended = end;
        }
        if (gives_back && !frame.payload.empty()) {
          const std::string size = Number32(static_cast<uint32_t>(frame.payload.size()));
          Write(*c.stream, FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, 0, size) +
                               FrameBytes(NGHTTP2_WINDOW_UPDATE, 0, frame.stream, size));
        }
        break;
      case NGHTTP2_RST_STREAM:
        if (Request* const r = FindRequest(c, frame.stream); r != nullptr)
          r->reset = static_cast<int>(ReadNumber32(frame.payload));
        break;
      default:
        break;
    }
  }
  Request* FindRequest(const Connection& c, uint32_t stream) {
    for (Request& r : requests_)
      if (r.connection == c.id && r.stream == stream) return &r;
    return nullptr;
  }
  void NoteRequest(Connection& c, uint32_t stream) {
    Request request;
    request.connection = c.id;
    request.stream = stream;
    c.coder.never_indexed.clear();
    request.head = c.coder.Decode(std::exchange(c.block, {}));
    request.never_indexed = c.coder.never_indexed;
    request.ended = ended_;
    request.certificates = PeerCertificates(c.stream->ssl());
    requests_.push_back(request);
    if (script_) script_(request);
  }
  void WriteFields(const Request& request, const Fields& fields, bool end) {
    const auto found = connections_.find(request.connection);
    if (found == connections_.end()) return;
    constexpr size_t kFrame = 16384;
    std::string block = found->second->coder.Encode(fields);
    uint8_t type = NGHTTP2_HEADERS;
    auto flags = static_cast<uint8_t>(end ? NGHTTP2_FLAG_END_STREAM : 0);
    std::string bytes;
    do {
      const std::string part = block.substr(0, kFrame);
      block.erase(0, part.size());
      if (block.empty()) flags |= NGHTTP2_FLAG_END_HEADERS;
      bytes += FrameBytes(type, flags, request.stream, part);
      type = NGHTTP2_CONTINUATION;
      flags = 0;
    } while (!block.empty());
    Write(*found->second->stream, bytes);
  }
  void Pump(Connection& c) {
    constexpr int64_t kFrame = 16384;
    for (auto& [stream, unused] : c.outgoing) {
      Outgoing& out = OutgoingOf(c, stream);
      while (!out.bytes.empty()) {
        const int64_t take =
            std::min({kFrame, static_cast<int64_t>(out.bytes.size()), out.window, c.window});
        if (take <= 0) break;
        out.window -= take;
        c.window -= take;
        const std::string part = out.bytes.substr(0, static_cast<size_t>(take));
        out.bytes.erase(0, part.size());
        const bool last = out.end && out.bytes.empty();
        Write(*c.stream,
              FrameBytes(NGHTTP2_DATA, static_cast<uint8_t>(last ? NGHTTP2_FLAG_END_STREAM : 0),
                         stream, part));
      }
    }
  }

  TlsPair tls_;
  Worker worker_{8};
  std::unique_ptr<Listener> listener_;
  Script script_;
  size_t count_ = 0;
  size_t pings_ = 0;
  bool ended_ = false;
  std::vector<Request> requests_;
  std::map<size_t, Connection*> connections_;
};

}  // namespace weir
