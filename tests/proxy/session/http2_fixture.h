// A client that speaks HTTP/2 frame by frame, well or badly, over real sockets and TLS.
#pragma once

#include <openssl/ssl.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/session/http2_connection.h"
#include "tests/fakes/http2_frames.h"
#include "tests/proxy/session/connection_fixture.h"

namespace weir {

class Http2Test : public ConnectionTest {
 protected:
  static constexpr uint8_t kEndStream = NGHTTP2_FLAG_END_STREAM;
  static constexpr uint8_t kEndHeaders = NGHTTP2_FLAG_END_HEADERS;
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  struct Answer {
    Fields head;
    std::vector<Fields> interim;
    Fields trailers;
    std::string body;
    bool ended = false;
    int reset = -1;  // The code of its RST_STREAM.

    std::string operator[](const std::string& name) const {
      for (const auto& [n, value] : head)
        if (n == name) return value;
      return "";
    }
  };

  // Handshake, preface and our SETTINGS. Nothing is read yet.
  void ConnectHttp2(const std::string& settings = "") {
    ConnectWithoutSettings();
    SendBytes(FrameBytes(NGHTTP2_SETTINGS, 0, 0, settings) +
              FrameBytes(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
  }
  void ConnectWithoutSettings() {
    const SocketPair sockets = ConnectedSockets();
    worker_.Post([this, sockets] {
      worker_.Spawn(ServeConnection(service_, sockets.server, api_server_.tls().server()));
    });
    RunOn(client_worker_, [&]() -> Async<void> {
      SSL* const ssl = api_server_.tls().NewClient();
      SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>("\x02h2"), 3);
      stream_ = std::make_unique<Stream>(client_worker_, sockets.client, ssl);
      const Status shaken = co_await stream_->Handshake(false);
      EXPECT_TRUE(shaken.ok()) << shaken;
      EXPECT_EQ(NegotiatedProtocol(ssl), "h2");
    });
    coder_ = std::make_unique<HpackCoder>();
    answers_.clear();
    goaway_ = -1;
    frames_.clear();
    SendBytes(std::string(kPreface));
  }
  void SendBytes(const std::string& bytes) {
    RunOn(client_worker_, [&]() -> Async<void> {
      stream_->Write(bytes);
      (void)co_await stream_->Flush();
    });
  }
  void SendFrame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    SendBytes(FrameBytes(type, flags, stream, payload));
  }
  std::string HeadersBytes(uint32_t stream, const Fields& fields, bool end = true) {
    const auto flags = static_cast<uint8_t>(kEndHeaders | (end ? kEndStream : 0));
    return FrameBytes(NGHTTP2_HEADERS, flags, stream, coder_->Encode(fields));
  }
  void SendHeaders(uint32_t stream, const Fields& fields, bool end = true) {
    SendBytes(HeadersBytes(stream, fields, end));
  }
  static Fields Request(const std::string& method, const std::string& path) {
    return {{":method", method},
            {":scheme", "https"},
            {":authority", "weir"},
            {":path", path},
            {"accept", "application/json"},
            {"authorization", "Bearer alices-token"}};
  }
  static Fields With(Fields fields, const Fields& more) {
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  void SendGet(uint32_t stream, const std::string& path) {
    SendHeaders(stream, Request("GET", path));
  }
  void SendWindow(uint32_t stream, uint32_t bytes) {
    SendFrame(NGHTTP2_WINDOW_UPDATE, 0, stream, Number32(bytes));
  }

  // The next frame; of type 0xff at the end of the connection, or after ten seconds.
  Frame ReadFrame() {
    constexpr size_t kHead = 9;
    const auto fill = [&](size_t size) {
      RunOn(client_worker_, [&]() -> Async<void> {
        std::string piece(64 * 1024, '\0');
        stream_->SetDeadline(client_worker_.Now() + std::chrono::seconds(10));
        while (received_.size() < size) {
          const auto got = co_await stream_->Read(piece.data(), piece.size());
          if (!got.ok() || *got == 0) break;
          received_.append(piece, 0, *got);
        }
        stream_->SetDeadline(TimePoint::max());
      });
      return received_.size() >= size;
    };
    Frame frame{0xff, 0, 0, ""};
    if (!fill(kHead)) return frame;
    const size_t size = ReadNumber32(std::string(1, '\0') + received_.substr(0, 3));
    if (!fill(kHead + size)) return frame;
    frame = {static_cast<uint8_t>(received_[3]), static_cast<uint8_t>(received_[4]),
             ReadNumber32(std::string_view(received_).substr(5, 4)), received_.substr(kHead, size)};
    received_.erase(0, kHead + size);
    Note(frame);
    return frame;
  }
  // Reads frames until `done` says so of one; false: the connection ended first.
  bool ReadFramesUntil(const std::function<bool(const Frame&)>& done) {
    for (;;) {
      const Frame frame = ReadFrame();
      if (frame.type == 0xff) return false;
      if (done(frame)) return true;
    }
  }
  Answer ReadAnswer(uint32_t stream) {
    while (!answers_[stream].ended && answers_[stream].reset < 0)
      if (ReadFrame().type == 0xff) break;
    return answers_[stream];
  }
  // Until the stream's body holds `text`.
  void ReadBodyUntil(uint32_t stream, const std::string& text) {
    while (answers_[stream].body.find(text) == std::string::npos) {
      ASSERT_NE(ReadFrame().type, 0xff) << "before " << text << " after " << answers_[stream].body;
    }
  }
  // The code of GOAWAY, once the connection has ended; -1: there was none.
  int ReadToGoAway() {
    while (ReadFrame().type != 0xff) {
    }
    return goaway_;
  }
  // Answered without delay, whatever was asked before.
  void ExpectAlive() {
    SendFrame(NGHTTP2_PING, 0, 0, "12345678");
    EXPECT_TRUE(ReadFramesUntil([](const Frame& f) {
      return f.type == NGHTTP2_PING && (f.flags & NGHTTP2_FLAG_ACK) != 0 && f.payload == "12345678";
    }));
    EXPECT_EQ(goaway_, -1);
  }

  std::unique_ptr<HpackCoder> coder_;
  std::map<uint32_t, Answer> answers_;
  std::vector<Frame> frames_;  // All that came.
  int goaway_ = -1;
  uint32_t goaway_last_ = 0;

 private:
  void Note(const Frame& frame) {
    frames_.push_back(frame);
    Answer& answer = answers_[frame.stream];
    if (frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_CONTINUATION) {
      block_ += frame.payload;
      if ((frame.flags & kEndHeaders) != 0) NoteFields(answer);
    } else if (frame.type == NGHTTP2_DATA) {
      answer.body += frame.payload;
    } else if (frame.type == NGHTTP2_RST_STREAM) {
      answer.reset = static_cast<int>(ReadNumber32(frame.payload));
    } else if (frame.type == NGHTTP2_GOAWAY) {
      goaway_last_ = ReadNumber32(frame.payload);
      goaway_ = static_cast<int>(ReadNumber32(std::string_view(frame.payload).substr(4)));
    }
    const bool ends = frame.type == NGHTTP2_HEADERS || frame.type == NGHTTP2_DATA;
    if (ends && (frame.flags & kEndStream) != 0) answer.ended = true;
  }
  void NoteFields(Answer& answer) {
    Fields fields = coder_->Decode(std::exchange(block_, {}));
    if (!answer.head.empty()) {
      answer.trailers = std::move(fields);
    } else if (!fields.empty() && fields[0].second[0] == '1') {
      answer.interim.push_back(std::move(fields));
    } else {
      answer.head = std::move(fields);
    }
  }
  std::string block_;
};

}  // namespace weir
