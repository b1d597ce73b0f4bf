// An HTTP/2 connection towards an API server that says whatever it likes after its SETTINGS: the
// connection never breaks us, an answer means the same in HTTP/1.1, and once it is over nothing is
// left.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/base/log.h"
#include "protocol/http/head.h"
#include "proxy/admin/metrics.h"
#include "proxy/upstream/http2_client_session.h"

namespace {

using namespace weir;

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Process {
  Process() {
    UpstreamConfig config;
    config.servers = {"https://127.0.0.1:1"};
    upstream = Upstream::Make(config, "", "").value();
  }
  Worker worker{0};
  std::shared_ptr<Upstream> upstream;
};

void CheckHead(const http::ResponseHead& head, std::string_view method) {
  using Kind = http::BodyFraming::Kind;
  http::ResponseHead written = head;
  for (const char* const name : {"transfer-encoding", "connection", "trailer"})
    written.headers.Remove(name);
  std::string bytes;
  http::AppendResponseHead(written, bytes);
  const auto parsed = http::ParseResponseHead(bytes, method);
  const auto* read = std::get_if<http::ResponseHead>(&parsed);
  Require(read != nullptr && read->status == head.status);
  Require(read->headers.lines().size() == written.headers.lines().size());
  if (head.body.kind == Kind::kLength) Require(read->body.length == head.body.length);
}

Async<void> Ask(std::shared_ptr<Http2ClientSession> session, std::string method, int* running) {
  ++*running;
  {
    Http2ClientStream stream(session, nullptr, 0);
    http::RequestHead head;
    head.method = method;
    head.target = "/x";
    head.headers.Add("Authorization", "Bearer token");
    if (method == "POST") head.body.kind = http::BodyFraming::Kind::kChunked;
    const Status sent = co_await stream.SendHead(std::move(head));
    bool goes_on = sent.ok();
    while (goes_on) {
      const auto answer = co_await stream.ReadHead(method, std::chrono::hours(1));
      goes_on = answer.ok() && answer->status < 200;
      if (answer.ok()) CheckHead(*answer, method);
      if (answer.ok() && answer->status >= 200) {
        for (;;) {
          const auto piece = co_await stream.ReadBody();
          if (!piece.ok() || piece->empty()) break;
        }
      }
    }
  }
  --*running;
}

void Drain(int socket) {
  char sink[4096];
  while (::read(socket, sink, sizeof(sink)) > 0) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Process& process = *[] {
    ConfigureLog(LogFormat::kText, -1);
    return new Process;
  }();
  int both[2] = {-1, -1};
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both) == 0);
  const auto turn = [&] {
    process.worker.io().restart();
    process.worker.io().poll();
    Drain(both[1]);
  };
  int running = 0;
  {
    OpenedUpstream opened;
    opened.stream = std::make_unique<Stream>(process.worker, both[0], nullptr);
    opened.generation = process.upstream->generation();
    opened.http2 = true;
    const auto session = std::make_shared<Http2ClientSession>(std::move(opened), *process.upstream,
                                                              0, Http2ClientSession::Limits());
    process.worker.Spawn(Http2ClientSession::Run(session));
    for (const char* const method : {"GET", "HEAD", "POST", "GET"})
      process.worker.Spawn(Ask(session, method, &running));
    turn();
    constexpr char kSettings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    Require(::send(both[1], kSettings, sizeof(kSettings), MSG_NOSIGNAL) == sizeof(kSettings));
    turn();
    // In pieces, as a socket might bring them.
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    for (size_t step = 1; !bytes.empty(); step = step * 3 % 4099 + 1) {
      const std::string_view piece = bytes.substr(0, step);
      if (::send(both[1], piece.data(), piece.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(piece.size()))
        break;
      bytes.remove_prefix(piece.size());
      turn();
    }
    ::close(both[1]);
    for (int i = 0; i < 20; ++i) {
      process.worker.io().restart();
      process.worker.io().poll();
    }
  }
  process.worker.io().restart();
  process.worker.io().poll();
  Require(running == 0);
  Require(ProcessMetrics().upstream_http2_streams.value() == 0);
  Require(ProcessMetrics().upstream_http2_connections.value() == 0);
  return 0;
}
