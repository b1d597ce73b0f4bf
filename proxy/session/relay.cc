#include "proxy/session/relay.h"

#include <utility>

#include "protocol/base/log.h"
#include "proxy/session/forward_head.h"
#include "proxy/session/respond.h"

namespace weir {

Async<bool> RelayAnswer(Exchange& exchange, UpstreamConnection& connection, http::ResponseHead head,
                        bool long_running) {
  const bool body_follows = head.body.kind != http::BodyFraming::Kind::kNone;
  http::ResponseHead relayed = RelayedHead(std::move(head));
  if (!exchange.Start(std::move(relayed)).ok()) co_return false;
  while (body_follows) {
    StatusOr<std::string_view> piece = connection.ReadBodyNow();
    if (piece.ok() && piece->empty() && !connection.body_done()) {
      // Nothing more for now: what was read goes out, the head of a quiet watch too.
      const Status drained = co_await exchange.Drain();
      if (!drained.ok()) co_return false;
      connection.SetDeadline(long_running ? TimePoint::max()
                                          : exchange.worker().Now() + kAnswerTimeout);
      piece = co_await connection.ReadBody();
    }
    if (!piece.ok()) co_return false;
    if (piece->empty()) break;
    const std::string_view payload = *piece;
    if (!exchange.Write(std::span(&payload, 1), payload.size())) {
      const Status drained = co_await exchange.Drain();
      if (!drained.ok()) co_return false;
    }
  }
  connection.SetDeadline(TimePoint::max());
  const Status finished = co_await exchange.Finish(connection.trailers());
  co_return finished.ok();
}

Async<void> RespondUnreachable(Exchange& exchange, Status failure, Sent sent) {
  if (absl::IsCancelled(failure)) {  // The client is gone, and nobody is there to be told.
    exchange.Abort();
    co_return;
  }
  Log(LogLevel::kWarning, "The API server did not answer a forwarded request",
      {{"err", Message(failure)}});
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
