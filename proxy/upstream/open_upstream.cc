#include "proxy/upstream/open_upstream.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "proxy/admin/metrics.h"
#include "proxy/net/dial.h"
#include "proxy/net/tls_context.h"

namespace weir {

namespace {

// A handshake with an API server that is found dead meanwhile.
class CutWhenDead final : private Endpoints::Member {
 public:
  CutWhenDead(Endpoints& endpoints, size_t endpoint, Stream& stream)
      : endpoints_(endpoints), stream_(stream) {
    endpoints_.Join(endpoint, stream.worker(), *this);
  }
  ~CutWhenDead() override { endpoints_.Leave(*this); }
  CutWhenDead(const CutWhenDead&) = delete;
  CutWhenDead& operator=(const CutWhenDead&) = delete;

 private:
  void OnEndpointDead() override { stream_.Cut(); }

  Endpoints& endpoints_;
  Stream& stream_;
};

void NoteFailure(Worker& worker, Upstream& upstream, size_t endpoint, const std::string& why) {
  ProcessMetrics().upstream_failures.Add();
  upstream.endpoints().NoteFailure(endpoint, worker.Now());
  upstream.ReportFailed(endpoint, why);
}

}  // namespace

Async<StatusOr<OpenedUpstream>> OpenUpstream(Worker& worker, Upstream& upstream,
                                             CredentialClass credential, size_t endpoint,
                                             bool offer_http2, TimePoint deadline) {
  const ServerUrl& url = upstream.url(endpoint);
  const StatusOr<int> socket = co_await Dial(worker, url.host, url.port, deadline);
  if (!socket.ok()) {
    NoteFailure(worker, upstream, endpoint, std::string(Message(socket.status())));
    co_return socket.status();
  }
  OpenedUpstream opened;
  // In this order: a connection of old credentials may count as one, but not the other way round.
  opened.generation = upstream.generation();
  SSL* const ssl = upstream.tls(credential)->NewSsl(upstream.server_name(endpoint), offer_http2);
  opened.stream = std::make_unique<Stream>(worker, *socket, ssl);
  const CutWhenDead member(upstream.endpoints(), endpoint, *opened.stream);
  opened.stream->SetDeadline(deadline);
  const Status shaken = co_await opened.stream->Handshake(false);
  opened.stream->SetDeadline(TimePoint::max());
  if (!shaken.ok()) {
    const std::string text =
        fmt::format("TLS handshake with {}: {}", upstream.authority(endpoint), Message(shaken));
    NoteFailure(worker, upstream, endpoint, text);
    co_return Unavailable(text);
  }
  upstream.ReportReached(endpoint);
  opened.http2 = offer_http2 && NegotiatedProtocol(ssl) == "h2";
  co_return opened;
}

}  // namespace weir
