// An HTTP/2 session fed with whatever a client may send after its preface: it never breaks, what it
// takes for a request means the same in HTTP/1.1, and once the connection is lost nothing is left.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/base/log.h"
#include "protocol/http/head.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/http2_session.h"

namespace {

using namespace weir;

void Require(bool holds) {
  if (!holds) std::abort();
}

class NoReviews final : public ReviewClient {
 public:
  void Post(std::string, std::string, absl::AnyInvocable<void(StatusOr<ReviewAnswer>)>) override {}
};

// All that a session needs of a process; its worker's loop runs only when it is polled.
struct Process {
  Process()
      : authenticator(Authenticator::Make({}).value()),
        authorizer(Authorizer::Make({})),
        upstream(MakeUpstream()),
        pool(worker, upstream),
        shared{live, registry, *authenticator, *authorizer, *upstream},
        service{shared, worker, pool, reviews} {
    config.max_header_fields = 32;
    config.max_header_bytes = 4096;
    config.http2_max_streams_per_connection = 4;
  }
  static std::shared_ptr<Upstream> MakeUpstream() {
    UpstreamConfig config;
    config.servers = {"https://127.0.0.1:1"};
    return Upstream::Make(config, "", "").value();
  }

  Config config;
  LiveConfig live{config};
  Worker worker{0};
  std::unique_ptr<Registry> registry;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<Authorizer> authorizer;
  std::shared_ptr<Upstream> upstream;
  UpstreamPool pool;
  NoReviews reviews;
  ServiceShared shared;
  Service service;
};

void CheckRequest(const http::RequestHead& head) {
  using Kind = http::BodyFraming::Kind;
  http::RequestHead forwarded = head;
  if (!forwarded.headers.Has("Host")) forwarded.headers.Set("Host", "none");
  if (head.body.kind == Kind::kChunked) forwarded.headers.Set("Transfer-Encoding", "chunked");
  // A list of its own, which HTTP/1.1 reads as framing and the forwarding drops.
  forwarded.headers.Remove("trailer");
  std::string written;
  http::AppendRequestHead(forwarded, written);
  http::HeadLimits limits;
  limits.max_head_bytes = size_t{1} << 20;
  const auto parsed = http::ParseRequestHead(written, limits);
  const auto* read = std::get_if<http::RequestHead>(&parsed);
  Require(read != nullptr && read->method == head.method && read->target == head.target);
  Require(read->body.kind == head.body.kind && read->body.length == head.body.length);
  Require(read->headers.lines().size() == forwarded.headers.lines().size());
}

// Answers in a few ways, by what was asked, and reads nothing.
void Serve(const std::shared_ptr<Http2Stream>& stream) {
  if (stream->refusal() != nullptr) return stream->Over();
  CheckRequest(stream->request());
  http::ResponseHead head;
  head.status = 200;
  head.body.kind = http::BodyFraming::Kind::kChunked;
  if (!stream->Start(std::move(head)).ok()) return stream->Over();
  const std::string body(stream->request().target.size() * 1000 % 70'000, 'x');
  const std::string_view piece = body;
  stream->Write(std::span(&piece, 1), piece.size());
  stream->OnWritable([] {});
  stream->OnGone([] {});
  if (stream->request().method == "GET") stream->Over();
}

std::pair<int, int> Sockets() {
  int both[2] = {-1, -1};
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both) == 0);
  return {both[0], both[1]};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Process& process = *[] {
    ConfigureLog(LogFormat::kText, -1);
    return new Process;
  }();
  const auto [server, client] = Sockets();
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  {
    const auto connection = std::make_shared<ClientConnection>(process.service, server, nullptr);
    const auto session = std::make_shared<Http2Session>(connection);
    session->Pump();
    session->Receive("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    // In pieces, as a socket might bring them.
    bool more = true;
    for (size_t at = 0, step = 1; more && at < bytes.size();
         at += step, step = step * 3 % 4099 + 1) {
      more = session->Receive(bytes.substr(at, step));
      for (const auto& stream : session->TakeNew()) Serve(stream);
      session->Pump();
      process.worker.io().poll();
      char sink[4096];
      while (::read(client, sink, sizeof(sink)) > 0) {
      }
    }
    session->Pump();
    session->Lost();
    process.worker.io().poll();
    process.worker.io().restart();
  }
  ::close(client);
  process.worker.io().poll();
  process.worker.io().restart();
  Require(ProcessMetrics().http2_streams.value() == 0);
  Require(ProcessMetrics().http2_connections.value() == 0);
  Require(ProcessMetrics().unsent_bytes.value() == 0);
  return 0;
}
