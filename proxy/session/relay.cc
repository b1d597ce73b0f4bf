#include "proxy/session/relay.h"

#include <utility>

#include "protocol/base/log.h"
#include "protocol/base/log_pace.h"
#include "proxy/session/forward_head.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

// At most once a second: a lost API server fails all that is under way.
void LogUnanswered(const http::RequestHead& request, const Status& failure) {
  constexpr size_t kMaxPath = 256;
  static LogPace pace(std::chrono::seconds(1));
  const uint64_t count = pace.Take();
  if (count == 0) return;
  Log(LogLevel::kWarning, "The API server did not answer a forwarded request",
      {{"method", request.method},
       {"path", request.path().substr(0, kMaxPath)},
       {"err", Message(failure)},
       {"count", count}});
}

}  // namespace

Async<bool> RelayAnswer(Exchange& exchange, UpstreamExchange& upstream, http::ResponseHead head,
                        bool long_running) {
  const bool body_follows = head.body.kind != http::BodyFraming::Kind::kNone;
  http::ResponseHead relayed = RelayedHead(std::move(head));
  if (!exchange.Start(std::move(relayed)).ok()) co_return false;
  while (body_follows) {
    StatusOr<std::string_view> piece = upstream.ReadBodyNow();
    if (piece.ok() && piece->empty() && !upstream.body_done()) {
      // Nothing more for now: what was read goes out, the head of a quiet watch too.
      const Status drained = co_await exchange.Drain();
      if (!drained.ok()) co_return false;
      upstream.SetDeadline(long_running ? TimePoint::max()
                                        : exchange.worker().Now() + kAnswerTimeout);
      piece = co_await upstream.ReadBody();
    }
    if (!piece.ok()) co_return false;
    if (piece->empty()) break;
    const std::string_view payload = *piece;
    if (!exchange.Write(std::span(&payload, 1), payload.size())) {
      const Status drained = co_await exchange.Drain();
      if (!drained.ok()) co_return false;
    }
  }
  upstream.SetDeadline(TimePoint::max());
  const Status finished = co_await exchange.Finish(upstream.trailers());
  co_return finished.ok();
}

Async<void> RespondUnreachable(Exchange& exchange, Status failure, Sent sent) {
  if (absl::IsCancelled(failure)) {  // The client is gone, and nobody is there to be told.
    exchange.Abort();
    co_return;
  }
  LogUnanswered(exchange.request(), failure);
  ApiError error = absl::IsUnavailable(failure) && sent == Sent::kMayHaveActed
                       ? ApiError::BadGateway(
                             "the API server was lost before it answered; it may "
                             "have done what it was asked to")
                   : absl::IsUnavailable(failure)
                       ? ApiError::ServiceUnavailable("the API server cannot be reached", 1)
                   : absl::IsDeadlineExceeded(failure)
                       ? ApiError::Timeout()
                       : ApiError::BadGateway("the API server's answer was malformed");
  co_await RespondError(exchange, std::move(error));
}

}  // namespace weir
