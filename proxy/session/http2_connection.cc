#include "proxy/session/http2_connection.h"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "proxy/admin/metrics.h"
#include "proxy/session/http2_session.h"
#include "proxy/session/respond.h"
#include "proxy/session/router.h"

namespace weir {

namespace {

constexpr size_t kReadBytes = size_t{64} << 10;
constexpr int kReadsPerTurn = 4;

// One stream's request, from its head to the end of its answer.
Async<void> ServeStream(std::shared_ptr<Http2Session> session,
                        std::shared_ptr<Http2Stream> stream) {
  if (!stream->closed()) {
    session->client().RecheckCertificate();
    if (const http::HttpError* const refusal = stream->refusal(); refusal != nullptr) {
      ProcessMetrics().bad_requests.Add();
      std::string text = refusal->text;
      co_await RespondText(*stream, refusal->status, std::move(text));
    } else {
      co_await HandleRequest(session->client().service, *stream);
    }
  }
  if (stream->ongoing()) co_return;  // And ends by itself.
  stream->Over();
  session->OnHandlerEnded();
}

}  // namespace

Async<void> ServeHttp2(std::shared_ptr<ClientConnection> client) {
  thread_local std::vector<char> buffer(kReadBytes);
  Worker& worker = client->service.worker;
  Stream& stream = client->stream;
  stream.SetDeadline(TimePoint::max());
  const auto session = std::make_shared<Http2Session>(client);
  if (client->service.shared.closing.load()) session->GoAway();
  session->Pump();
  session->WatchTheClock();
  int unwaited = 0;
  for (;;) {
    bool end = false;
    const StatusOr<size_t> got = stream.ReadNow(buffer.data(), buffer.size(), end);
    if (!got.ok() || end) break;
    if (*got == 0) {
      unwaited = 0;
      co_await stream.WaitReadable();
      continue;
    }
    const bool more = session->Receive(std::string_view(buffer.data(), *got));
    for (std::shared_ptr<Http2Stream>& opened : session->TakeNew()) {
      ++session->running;
      worker.Spawn(ServeStream(session, std::move(opened)));
    }
    session->Pump();
    session->WatchTheClock();
    if (!more) break;
    if (++unwaited < kReadsPerTurn) continue;
    unwaited = 0;
    co_await net::post(worker.io(), net::use_awaitable_t<IoExecutor>());
  }
  session->FlushNow();
  session->Lost();
  while (session->running > 0) co_await session->none_running.Wait();
  if (!stream.failure().ok()) co_return;
  if (session->blocked()) co_return stream.Cut();  // It would not read our goodbye either.
  co_await client->Linger();
}

void DrainHttp2(Service& service) {
  for (Http2Session* const session : service.http2_sessions) {
    session->GoAway();
    session->Pump();
  }
}

size_t SendAwayHttp2(Service& service, size_t count) {
  size_t told = 0;
  for (; told < count; ++told) {
    Http2Session* const session = service.http2_roll.oldest();
    if (session == nullptr) break;
    session->GoAway();
    session->Pump();
  }
  ProcessMetrics().rebalance_goaways.Add(told);
  return told;
}

}  // namespace weir
