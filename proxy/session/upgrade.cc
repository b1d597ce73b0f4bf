#include "proxy/session/upgrade.h"

#include <fmt/format.h>

#include <exception>
#include <memory>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/tunnel.h"
#include "proxy/session/forward_head.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/relay.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

struct OpenTunnel {
  OpenTunnel() {
    ProcessMetrics().open_tunnels.Add();
    ProcessMetrics().requests_in_flight.Sub();
  }
  ~OpenTunnel() {
    ProcessMetrics().open_tunnels.Sub();
    ProcessMetrics().requests_in_flight.Add();
  }
};

// Upstream's answer to the handshake, while the client may leave at any time.
Async<StatusOr<http::ResponseHead>> ShakeHands(Exchange& exchange, UpstreamConnection& connection,
                                               http::RequestHead head, bool long_running) {
  // Upstream may be slow for good reasons of the pod's: nothing but the client's leaving ends it.
  const Duration timeout = long_running ? Duration(0) : kAnswerTimeout;
  const std::string method = head.method;
  const auto running = std::make_shared<UpstreamConnection*>(&connection);
  WEIR_CO_TRY(co_await connection.SendHead(std::move(head)));
  ProcessMetrics().upstream_forwards.Add();
  exchange.OnGone([weak = std::weak_ptr(running)] {
    if (const auto alive = weak.lock()) (*alive)->Abort();
  });
  co_return co_await connection.ReadHead(method, timeout);
}

// Both sides have agreed: from here on nobody reads what they say.
Async<void> CarryBytes(Service& service, Exchange& exchange, UpstreamConnection& connection,
                       http::ResponseHead answer, std::string_view protocol) {
  http::ResponseHead head = RelayedHead(std::move(answer));
  head.headers.Add("Connection", "Upgrade");
  head.headers.Add("Upgrade", protocol);
  const OpenTunnel open;
  std::string from_client;
  std::string from_upstream;
  Stream* const client = exchange.SwitchProtocols(std::move(head), from_client);
  if (client == nullptr) co_return exchange.Abort();
  Stream& upstream = connection.SwitchProtocols(from_upstream);
  Metrics& metrics = ProcessMetrics();
  metrics.tunnel_bytes_up.Add(from_client.size());
  metrics.tunnel_bytes_down.Add(from_upstream.size());
  upstream.Write(from_client);
  client->Write(from_upstream);
  TunnelOptions options;
  options.idle_timeout = service.shared.config->streaming_connection_idle_timeout;
  options.from_a = [](size_t bytes) { ProcessMetrics().tunnel_bytes_up.Add(bytes); };
  options.from_b = [&connection](size_t bytes) {
    ProcessMetrics().tunnel_bytes_down.Add(bytes);
    connection.NoteHeard();
  };
  const TunnelEnd end = co_await RunTunnel(*client, upstream, options);
  metrics.tunnel_ends[end].Add();
}

// Null where the answer is one that a client may see; else why it is not.
const char* WhyNotRelayed(const http::ResponseHead& answer, std::string_view protocol) {
  if (answer.status == 101) {
    return AgreesToUpgrade(answer.headers, protocol) ? nullptr : "agrees to something else";
  }
  if (answer.status < 200) return "is an interim one";
  // A redirect would take the client's credential elsewhere (CVE-2020-8559).
  if (answer.status >= 300 && answer.status < 400) return "is a redirect";
  return nullptr;
}

}  // namespace

Async<void> ForwardUpgrade(Service& service, Exchange& exchange, CredentialClass credential,
                           http::RequestHead head, std::string_view protocol, ForwardSlot& slot) {
  StatusOr<std::unique_ptr<UpstreamConnection>> opened =
      co_await service.pool.Acquire(credential, /*fresh=*/true);
  if (!opened.ok()) {
    co_await RespondUnreachable(exchange, opened.status(), Sent::kNothing);
    co_return;
  }
  UpstreamConnection& connection = **opened;
  const bool long_running = IsLongRunning(exchange.request());
  StatusOr<http::ResponseHead> answer =
      co_await ShakeHands(exchange, connection, std::move(head), long_running);
  if (!answer.ok()) {
    co_await RespondUnreachable(exchange, answer.status(), Sent::kMayHaveActed);
    co_return;
  }
  if (const char* const wrong = WhyNotRelayed(*answer, protocol); wrong != nullptr) {
    connection.Abort();
    std::string text =
        fmt::format("the API server's answer to an upgrade {}: {}", wrong, answer->status);
    co_await RespondError(exchange, ApiError::BadGateway(std::move(text)));
    co_return;
  }
  if (answer->status == 101) {
    slot.Leave();
    co_await CarryBytes(service, exchange, connection, *std::move(answer), protocol);
    co_return;
  }
  const bool complete =
      co_await RelayAnswer(exchange, connection, *std::move(answer), long_running);
  connection.Abort();
  if (!complete) exchange.Abort();
}

}  // namespace weir
