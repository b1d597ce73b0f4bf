// How a watch begins: its head, and then what goes on without the handler.
#include <utility>

#include "proxy/session/reads.h"
#include "proxy/session/respond.h"
#include "proxy/session/running_watch.h"

namespace weir {

Async<void> ServeWatch(Service& service, Exchange& exchange, CachedRead& read, WatchSpec spec) {
  http::ResponseHead head =
      BeginResponse(exchange, 200, IsProtobuf(spec.form.encoding) ? kProtobufWatchType : kJsonType);
  if (spec.form.gzip_members) {
    head.headers.Add("Content-Encoding", "gzip");
    head.headers.Add("Vary", "Accept-Encoding");
  }
  AddWarnings(*read.replica->snapshot().form, head.headers);
  head.body.kind = http::BodyFraming::Kind::kChunked;
  if (!exchange.Start(std::move(head)).ok()) co_return;
  // The head goes out before any event: clients wait for it.
  const Status sent = co_await exchange.Drain();
  if (!sent.ok()) co_return;
  RunningWatch::Begin(service, exchange, read, std::move(spec));
}

}  // namespace weir
