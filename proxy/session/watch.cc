// The stream of one watch. What a batch brings is written by the replica's plain loop, straight
// into the socket; the coroutine below only wakes for a drained socket, a client that left, a
// deadline, a right that ends, or shutdown.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <random>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/reads.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

constexpr Duration kMaxLifetime = std::chrono::hours(1);
// A client that takes nothing for so long is cut: what is sealed for it is memory that nobody will
// read.
constexpr Duration kMaxStall = std::chrono::minutes(2);
constexpr Duration kMaxUnverified = std::chrono::minutes(15);

class WatchSession final : public WatchSink {
 public:
  WatchSession(Service& service, Exchange& exchange)
      : service_(service), exchange_(exchange), signal_(service.worker) {
    service_.watches.insert(&signal_);
    ProcessMetrics().open_watches.Add();
    ProcessMetrics().requests_in_flight.Sub();
  }
  ~WatchSession() override {
    service_.watches.erase(&signal_);
    ProcessMetrics().open_watches.Sub();
    ProcessMetrics().requests_in_flight.Add();
  }

  bool Write(std::span<const std::string_view> pieces, size_t bytes, size_t frames) override {
    ProcessMetrics().watch_events.Add(frames);
    ProcessMetrics().watch_bytes.Add(bytes);
    if (exchange_.Write(pieces, bytes)) return true;
    Park();
    return false;
  }
  void End() override {
    ended_ = true;
    signal_.Notify();
  }

  Async<void> Run(const ReadRequest& request, std::shared_ptr<const Authorized> authorized,
                  std::shared_ptr<Replica> replica, WatchSpec spec, TimePoint asked);

 private:
  // Nothing is written until the client takes bytes again.
  void Park() {
    writable_ = false;
    parked_until_ = service_.worker.Now() + kMaxStall;
    exchange_.OnWritable([this] {
      writable_ = true;
      parked_until_ = TimePoint::max();
      more_ = true;
      signal_.Notify();
    });
  }
  Async<bool> StillAllowed(const Authorized& authorized);
  bool running() const {
    return !ended_ && !gone_ && !service_.shared.stopping.load(std::memory_order_relaxed);
  }

  Service& service_;
  Exchange& exchange_;
  Signal signal_;
  bool writable_ = true;
  bool more_ = true;  // Something may wait in the log.
  bool ended_ = false;
  bool gone_ = false;
  TimePoint parked_until_ = TimePoint::max();  // The socket has to drain by then.
  TimePoint unverified_since_ = TimePoint::max();
};

std::minstd_rand& Random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return random;
}

Duration LifetimeOf(const ReadRequest& request) {
  if (request.timeout_seconds.value_or(0) > 0) {
    const int64_t seconds = std::min<int64_t>(*request.timeout_seconds, 3600);
    return std::chrono::seconds(seconds);
  }
  // As --min-request-timeout does: between 30 and 60 minutes, so that clients do not come back
  // together.
  return std::chrono::seconds(std::uniform_int_distribution<int>(1800, 3599)(Random()));
}

// By up to a tenth, so that watches that began together are not checked together.
Duration Shortened(Duration interval) {
  return interval - interval / 1000 * std::uniform_int_distribution<int>(0, 100)(Random());
}

Async<void> WatchSession::Run(const ReadRequest& request,
                              std::shared_ptr<const Authorized> authorized,
                              std::shared_ptr<Replica> replica, WatchSpec spec, TimePoint asked) {
  Worker& worker = service_.worker;
  TimePoint deadline = asked + std::min(LifetimeOf(request), kMaxLifetime);
  const Identity& identity = *authorized->identity();
  TimePoint identity_until = TimePoint::max();
  if (identity.expires != std::chrono::system_clock::time_point::max()) {
    const Duration left = identity.expires - std::chrono::system_clock::now();
    identity_until = worker.Now() + std::min(left, kMaxLifetime);
    deadline = std::min(deadline, identity_until);
  }
  spec.deadline = deadline;
  exchange_.OnGone([this] {
    gone_ = true;
    signal_.Notify();
  });
  const Duration interval = service_.shared.config->watch_reauthorize_interval;
  TimePoint next_check =
      interval > Duration(0) ? worker.Now() + Shortened(interval) : TimePoint::max();

  // Until it has caught up for the first time: a proof may have taken all the time there was. Not
  // beyond the identity's own time.
  bool starting = spec.initial.has_value();
  std::unique_ptr<Watcher> watcher = replica->Watch(std::move(spec), *this);
  const auto in_time = [&] {
    const TimePoint now = worker.Now();
    return now < deadline || (starting && writable_ && now < identity_until);
  };
  while (running() && in_time()) {
    if (writable_ && more_) {
      // Others on the connection may have been quicker: what it does not take would be kept.
      if (exchange_.Room() == 0) {
        Park();
        continue;
      }
      more_ = watcher->OnWritable();
      starting = starting && more_;
      if (more_ && writable_) co_await net::post(worker.io(), net::use_awaitable_t<IoExecutor>());
      continue;
    }
    co_await signal_.Wait(std::min(std::min(deadline, next_check), parked_until_));
    if (worker.Now() >= parked_until_) {
      exchange_.Abort();
      break;
    }
    if (worker.Now() < next_check || !running()) continue;
    const bool allowed = co_await StillAllowed(*authorized);
    if (!allowed) {
      ProcessMetrics().watches_reauth_terminated.Add();
      break;
    }
    next_check = worker.Now() + Shortened(interval);
  }
  watcher.reset();
}

// Authentication and authorisation again, through the caches of verdicts. A check that fails for
// upstream's sake is tolerated for a while; a refusal is not.
Async<bool> WatchSession::StillAllowed(const Authorized& authorized) {
  exchange_.RecheckCertificate();
  const Promise<AuthResult> authentication(service_.worker);
  service_.shared.authenticator.Authenticate(
      exchange_.certificate(), exchange_.request().headers, service_.worker, service_.reviews,
      [authentication](AuthResult result) { authentication.Set(std::move(result)); });
  const std::optional<AuthResult> who = co_await authentication.Take();
  bool unknown =
      who->kind == AuthResult::Kind::kUnavailable || who->kind == AuthResult::Kind::kOverloaded;
  if (!unknown) {
    if (who->kind != AuthResult::Kind::kAuthenticated ||
        who->identity->name != authorized.identity()->name) {
      co_return false;
    }
    const Promise<Verdict> authorization(service_.worker);
    service_.shared.authorizer.Authorize(
        who->identity, authorized.attributes(), service_.worker, service_.reviews,
        [authorization](Verdict verdict) { authorization.Set(std::move(verdict)); });
    const std::optional<Verdict> may = co_await authorization.Take();
    if (may->kind == Verdict::Kind::kDenied) co_return false;
    unknown = may->kind != Verdict::Kind::kAllowed;
  }
  if (!unknown) {
    unverified_since_ = TimePoint::max();
    co_return true;
  }
  unverified_since_ = std::min(unverified_since_, service_.worker.Now());
  co_return service_.worker.Now() - unverified_since_ < kMaxUnverified;
}

}  // namespace

Async<void> ServeWatch(Service& service, Exchange& exchange, const ReadRequest& request,
                       std::shared_ptr<const Authorized> authorized,
                       std::shared_ptr<Replica> replica, WatchSpec spec, TimePoint asked) {
  http::ResponseHead head =
      BeginResponse(exchange, 200, IsProtobuf(spec.form.encoding) ? kProtobufWatchType : kJsonType);
  if (spec.form.gzip_members) {
    head.headers.Add("Content-Encoding", "gzip");
    head.headers.Add("Vary", "Accept-Encoding");
  }
  AddWarnings(*replica->snapshot().form, head.headers);
  head.body.kind = http::BodyFraming::Kind::kChunked;
  if (!exchange.Start(std::move(head)).ok()) co_return;
  // The head goes out before any event: clients wait for it.
  const Status sent = co_await exchange.Drain();
  if (!sent.ok()) co_return;
  // The session is there until the exchange ends, since the socket may still call it back.
  WatchSession session(service, exchange);
  co_await session.Run(request, std::move(authorized), std::move(replica), std::move(spec), asked);
  const http::HeaderList no_trailers;
  static_cast<void>(co_await exchange.Finish(no_trailers));
}

}  // namespace weir
