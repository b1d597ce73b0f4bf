#include "proxy/session/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/http/head.h"
#include "protocol/http/request_target.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"
#include "proxy/session/forward_head.h"
#include "proxy/session/forward_slot.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/relay.h"
#include "proxy/session/request_body.h"
#include "proxy/session/respond.h"
#include "proxy/session/upgrade.h"

namespace weir {

namespace {

// How often a request is sent again that upstream has not looked at; at last on a connection that
// no other can make it refuse.
constexpr int kMaxRefusals = 3;

// What the coroutine that relays the answer and the one that sends the body know of each other.
struct Transfer {
  Transfer(Exchange& e, UpstreamExchange& u, RequestBody& b, bool l)
      : exchange(e), upstream(u), body(b), long_running(l), sent(e.worker()) {}

  Exchange& exchange;
  UpstreamExchange& upstream;
  RequestBody& body;
  const bool long_running;
  Signal sent;  // With `done`.
  bool done = false;
  bool sending = false;    // A piece is on its way up.
  bool answering = false;  // The answer has begun: it minds the deadline.
  Status rubbish;          // The client's framing was wrong.
  bool discard = false;    // The answer is out: read what the client sends, and drop it.
};

// The bound on upstream's next step; none while it is the client's turn.
void ExpectProgress(Transfer& transfer, bool expected) {
  if (transfer.answering || transfer.discard || transfer.long_running) return;
  transfer.upstream.SetDeadline(expected ? transfer.exchange.worker().Now() + kAnswerTimeout
                                         : TimePoint::max());
}

// A client that leaves cancels what it asked for. The request's body has to be out of the way.
void CancelWhenGone(const std::shared_ptr<Transfer>& transfer) {
  transfer->exchange.OnGone([weak = std::weak_ptr(transfer)] {
    if (const auto running = weak.lock()) running->upstream.Abort();
  });
}

Async<void> PumpBody(std::shared_ptr<Transfer> transfer) {
  UpstreamExchange& upstream = transfer->upstream;
  for (;;) {
    const StatusOr<std::string_view> piece = co_await transfer->body.Next();
    if (!piece.ok()) {
      if (absl::IsInvalidArgument(piece.status())) transfer->rubbish = piece.status();
      if (!transfer->discard)
        upstream.Abort();  // The client left, or sent rubbish: upstream gets no end.
      break;
    }
    if (transfer->discard && !piece->empty()) continue;
    if (transfer->discard) break;
    ExpectProgress(*transfer, true);
    Status sent;
    transfer->sending = true;
    if (piece->empty()) {
      sent = co_await upstream.EndBody();
    } else {
      sent = co_await upstream.SendBody(*piece);
    }
    transfer->sending = false;
    if (upstream.unprocessed()) break;  // What of it can be sent again will be.
    // Upstream may have answered early and closed: the answer is still to be read.
    if (!sent.ok()) transfer->discard = true;
    if (piece->empty()) {
      CancelWhenGone(transfer);
      break;
    }
    ExpectProgress(*transfer, false);
  }
  transfer->done = true;
  transfer->sent.Notify();
}

// The client's body was rubbish: 400; or it is gone.
Async<void> RefuseBody(Exchange& exchange, Status failure) {
  if (!absl::IsInvalidArgument(failure)) {
    exchange.Abort();
    co_return;
  }
  ProcessMetrics().bad_requests.Add();
  std::string text = "400 Bad Request: " + std::string(Message(failure));
  co_await RespondText(exchange, 400, std::move(text));
}

// Sends the request on `upstream` and relays the answer. Unavailable before anything was
// answered: the caller may try elsewhere if it is allowed to. OK once the exchange has had its
// answer, or was cut.
Async<Status> ForwardOn(Exchange& exchange, UpstreamExchange& upstream, http::RequestHead head,
                        RequestBody& body, bool long_running) {
  const std::string method = head.method;
  const bool has_body = head.body.kind != http::BodyFraming::Kind::kNone;
  WEIR_CO_TRY(co_await upstream.SendHead(std::move(head)));
  ProcessMetrics().upstream_forwards.Add();

  const auto transfer = std::make_shared<Transfer>(exchange, upstream, body, long_running);
  if (has_body) {
    // As upstream, over HTTP/2: a client that is gone cancels, though nobody takes its body.
    if (exchange.TellsGoneInBody()) CancelWhenGone(transfer);
    exchange.worker().Spawn(PumpBody(transfer));
  } else {
    transfer->done = true;
    CancelWhenGone(transfer);
  }

  const Duration timeout = long_running || has_body ? Duration(0) : kAnswerTimeout;
  Status failure;
  for (;;) {
    StatusOr<http::ResponseHead> answer = co_await upstream.ReadHead(method, timeout);
    if (!answer.ok()) {
      failure = answer.status();
      break;
    }
    if (answer->status == 101) {
      upstream.Abort();
      failure = InvalidArgument("the API server switched protocols unasked");
      break;
    }
    if (answer->status < 200) {
      // Its 100 is not the client's: that one was sent when the body was asked for.
      if (answer->status == 100) continue;
      http::ResponseHead relayed = RelayedHead(std::move(*answer));
      static_cast<void>(co_await exchange.Inform(std::move(relayed)));
      continue;
    }
    transfer->answering = true;
    bool complete = false;
    try {
      complete = co_await RelayAnswer(exchange, upstream, std::move(*answer), long_running);
    } catch (const std::exception& error) {
      // The other coroutine still refers to the exchange and upstream: end it first, below.
      Log(LogLevel::kError, "Relaying an answer failed", {{"err", error.what()}});
    }
    if (!complete) {
      upstream.Abort();
      exchange.Abort();
    }
    break;
  }
  while (!transfer->done && transfer->sending && upstream.unprocessed())
    co_await transfer->sent.Wait();
  if (!transfer->done) {
    // The rest of the body is of no use to anyone, and so neither is the connection it is sent on.
    transfer->discard = true;
    body.Untimed();
    upstream.Abort();
    exchange.StopReading();
    while (!transfer->done) co_await transfer->sent.Wait();
  }
  if (!transfer->rubbish.ok() && !exchange.started()) {
    co_await RefuseBody(exchange, transfer->rubbish);
    co_return OkStatus();
  }
  co_return failure;
}

bool HasBody(const http::RequestHead& request) {
  using Kind = http::BodyFraming::Kind;
  const Kind kind = request.body.kind;
  return kind != Kind::kNone && !(kind == Kind::kLength && request.body.length == 0);
}

// 417 for expectations other than the one that HTTP knows; the go-ahead for that one. False:
// answered.
Async<bool> MeetExpectation(Exchange& exchange) {
  const std::string* expect = exchange.request().headers.First("Expect");
  if (expect == nullptr) co_return true;
  if (!http::EqualsIgnoreCase(*expect, "100-continue")) {
    std::string text;
    co_await RespondText(exchange, 417, std::move(text));
    co_return false;
  }
  if (!HasBody(exchange.request())) co_return true;
  http::ResponseHead go_ahead;
  go_ahead.status = 100;
  go_ahead.reason = std::string(http::ReasonPhrase(100));
  const Status sent = co_await exchange.Inform(std::move(go_ahead));
  co_return sent.ok();
}

// As a front proxy Weir must know by which headers it is believed, for a client's are to be kept
// back. The API server is asked at the start; until it has answered nothing is forwarded so.
Async<bool> KnowsHeaders(Service& service) {
  constexpr Duration kLook = std::chrono::milliseconds(20);
  Signal never(service.worker);
  const TimePoint deadline = service.worker.Now() + std::chrono::seconds(5);
  while (!service.shared.identity_headers.complete()) {
    if (service.worker.Now() >= deadline) co_return false;
    static_cast<void>(co_await never.Wait(service.worker.Now() + kLook));
  }
  co_return true;
}

// Who asks, and how upstream is told.
struct Speaker {
  Credentials credentials;
  ForwardAs as;
};

// Nothing: refused, and answered.
Async<std::optional<Speaker>> FindSpeaker(Service& service, Exchange& exchange) {
  const http::HeaderList& headers = exchange.request().headers;
  Speaker speaker;
  speaker.credentials = service.shared.authenticator.Inspect(exchange.certificate(), headers);
  if (speaker.credentials.kind == Credentials::Kind::kRejected) {
    co_await RespondError(exchange, ApiError::Unauthorized());
    co_return std::nullopt;
  }
  std::variant<ForwardAs, ApiError> chosen = ChooseCredential(
      headers, speaker.credentials, *service.shared.config, service.shared.upstream);
  if (auto* const refused = std::get_if<ApiError>(&chosen); refused != nullptr) {
    co_await RespondError(exchange, std::move(*refused));
    co_return std::nullopt;
  }
  speaker.as = std::get<ForwardAs>(std::move(chosen));
  co_return speaker;
}

// Sends the request until it is answered, or may not be sent again.
Async<void> ForwardWithin(Service& service, Exchange& exchange, const http::RequestHead& head,
                          UpstreamPool::Wanted wanted, RequestBody& body, bool long_running) {
  const http::RequestHead& request = exchange.request();
  // Only what cannot have changed anything is sent twice, and only before a byte was answered;
  // unless upstream says that it has done nothing.
  const bool repeatable = (request.method == "GET" || request.method == "HEAD") &&
                          request.body.kind == http::BodyFraming::Kind::kNone;
  size_t left = service.pool.upstream().endpoints().count();  // Some may die meanwhile.
  int refusals = 0;
  bool repeated = false;
  for (;;) {
    const TimePoint began = service.worker.Now();
    StatusOr<std::unique_ptr<UpstreamExchange>> upstream = co_await service.pool.Begin(wanted);
    if (!upstream.ok()) {
      co_await RespondUnreachable(exchange, upstream.status(), Sent::kNothing);
      co_return;
    }
    http::RequestHead copy = head;
    const Status forwarded =
        co_await ForwardOn(exchange, **upstream, std::move(copy), body, long_running);
    if (forwarded.ok() || exchange.started()) {
      service.pool.Finish(std::move(*upstream));
      co_return;
    }
    const bool untouched = (*upstream)->unprocessed();
    wanted.since = began;
    if (untouched && ++refusals <= kMaxRefusals && body.Rewind()) {
      wanted.alone = refusals == kMaxRefusals;
      continue;
    }
    const bool elsewhere = (*upstream)->abandoned() && left-- > 1;
    const bool again = elsewhere || (!std::exchange(repeated, true) && (*upstream)->was_kept());
    if (again && repeatable && absl::IsUnavailable(forwarded)) continue;
    co_await RespondUnreachable(exchange, forwarded,
                                repeatable || untouched ? Sent::kNothing : Sent::kMayHaveActed);
    co_return;
  }
}

}  // namespace

Async<void> ForwardRequest(Service& service, Exchange& exchange) {
  const http::RequestHead& request = exchange.request();
  const auto upgrade = RequestedUpgrade(request);
  if (upgrade.has_value()) exchange.CloseAfterwards();
  std::optional<Speaker> speaker = co_await FindSpeaker(service, exchange);
  if (!speaker.has_value()) co_return;
  // What stands at such a URL may resolve it, and then it is another server's.
  if (service.shared.upstream.has_prefix() && http::HasDotSegments(request.path())) {
    std::string text = "400 Bad Request: dot segments, where the API server's URL has a path";
    co_await RespondText(exchange, 400, std::move(text));
    co_return;
  }
  if (upgrade.has_value() && HasBody(request)) {
    // Its end would be one of two things: the client's first bytes, or not.
    std::string text = "400 Bad Request: an upgrade with a body";
    co_await RespondText(exchange, 400, std::move(text));
    co_return;
  }
  const bool go_on = co_await MeetExpectation(exchange);
  if (!go_on) co_return;
  const bool long_running = IsLongRunning(request);
  RequestBody body(exchange, !long_running, service.shared.config->min_body_rate);
  // What lasts has a place at once: its body may be one that waits for the answer.
  if (!long_running && HasBody(request)) {
    const Status ahead = co_await body.ReadAhead();
    if (!ahead.ok()) {
      co_await RefuseBody(exchange, ahead);
      co_return;
    }
    // That may have taken a minute: he may not be who he was.
    exchange.RecheckCertificate();
    speaker = co_await FindSpeaker(service, exchange);
    if (!speaker.has_value()) co_return;
  }
  const ForwardAs& as = speaker->as;
  if (as.credential == CredentialClass::kFrontProxy) {
    const bool knows = co_await KnowsHeaders(service);
    if (!knows) {
      co_await RespondError(
          exchange, ApiError::ServiceUnavailable(
                        "the API server has not said yet by which headers it believes a front "
                        "proxy (ConfigMap kube-system/extension-apiserver-authentication)",
                        1));
      co_return;
    }
  }
  ForwardSlot slot(service.shared);
  if (!slot.Take(request, long_running, upgrade.has_value(), speaker->credentials,
                 exchange.peer_address())) {
    co_await RespondTooManyRequests(exchange);
    co_return;
  }

  StatusOr<http::RequestHead> head =
      UpstreamHead(exchange, speaker->credentials, as, *service.shared.identity_headers);
  if (!head.ok()) {
    std::string text = "400 Bad Request: " + std::string(Message(head.status()));
    co_await RespondText(exchange, 400, std::move(text));
    co_return;
  }
  const CredentialClass credential = as.credential;
  if (upgrade.has_value()) {
    co_await ForwardUpgrade(service, exchange, credential, *std::move(head), *upgrade, slot);
    co_return;
  }
  UpstreamPool::Wanted wanted;
  wanted.credential = credential;
  wanted.http2 = exchange.http2();
  if (const std::string* token = head->headers.First("Authorization"); token != nullptr)
    wanted.bearer = ProvenTokens::KeyOf(*token);
  co_await ForwardWithin(service, exchange, *head, wanted, body, long_running);
}

}  // namespace weir
