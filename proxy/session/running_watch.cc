#include "proxy/session/running_watch.h"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"

namespace weir {

namespace {

constexpr Duration kMaxLifetime = std::chrono::hours(1);
// A client that takes nothing for so long is cut: what is sealed for it is memory that nobody will
// read.
constexpr Duration kMaxStall = std::chrono::minutes(2);
constexpr Duration kMaxUnverified = std::chrono::minutes(15);

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

// When the next check is due. Shortened by up to a tenth, so that watches that began together are
// not checked together.
TimePoint NextCheck(const Service& service) {
  const Duration interval = service.shared.config->watch_reauthorize_interval;
  if (interval <= Duration(0)) return TimePoint::max();
  return service.worker.Now() + interval -
         interval / 1000 * std::uniform_int_distribution<int>(0, 100)(Random());
}

// Not beyond what proves who it is.
TimePoint DeadlineOf(const CachedRead& read, TimePoint now) {
  const TimePoint deadline = read.asked + LifetimeOf(read.request);
  const Identity& identity = *read.authorized->identity();
  if (identity.expires == std::chrono::system_clock::time_point::max()) return deadline;
  const Duration left = identity.expires - std::chrono::system_clock::now();
  return std::min(deadline, now + std::min(left, kMaxLifetime));
}

}  // namespace

void RunningWatch::Begin(Service& service, Exchange& exchange, CachedRead& read, WatchSpec spec) {
  spec.deadline = DeadlineOf(read, service.worker.Now());
  const bool starting = spec.initial.has_value();
  std::shared_ptr<const http::HeaderList> credentials = exchange.KeepCredentials();
  read.record.Remember(exchange.request());
  const auto watch = Self::Adopt(
      new RunningWatch(service, exchange.GoOn(), std::move(credentials), read, spec.deadline));
  watch->starting_ = starting;
  service.watches.Set(*watch, spec.deadline);
  exchange.OnGone([raw = watch.get()] {
    raw->gone_ = true;
    raw->Wake();
  });
  watch->watcher_ = read.replica->Watch(std::move(spec), *watch);
  watch->Turn();
}

RunningWatch::RunningWatch(Service& service, std::shared_ptr<Exchange> exchange,
                           std::shared_ptr<const http::HeaderList> credentials, CachedRead& read,
                           TimePoint deadline)
    : service_(service),
      exchange_(std::move(exchange)),
      identity_(read.authorized->identity()),
      credentials_(std::move(credentials)),
      attributes_(read.authorized->attributes()),
      ticket_(std::move(read.ticket)),
      record_(std::move(read.record)),
      deadline_(deadline),
      next_check_(NextCheck(service)) {
  ProcessMetrics().open_watches.Add();
  ProcessMetrics().requests_in_flight.Sub();
}

RunningWatch::~RunningWatch() {
  ProcessMetrics().open_watches.Sub();
  ProcessMetrics().requests_in_flight.Add();
}

bool RunningWatch::Write(std::span<const std::string_view> pieces, size_t bytes, size_t frames) {
  ProcessMetrics().watch_events.Add(frames);
  ProcessMetrics().watch_bytes.Add(bytes);
  if (exchange_->Write(pieces, bytes)) return true;
  Park();
  return false;
}

void RunningWatch::End() {
  ended_ = true;
  Wake();
}

void RunningWatch::Wake() {
  if (std::exchange(woken_, true)) return;
  service_.worker.Post([self = Self::Share(this)] {
    self->woken_ = false;
    self->Turn();
  });
}

void RunningWatch::Park() {
  writable_ = false;
  parked_until_ = service_.worker.Now() + kMaxStall;
  exchange_->OnWritable([this] {
    writable_ = true;
    parked_until_ = TimePoint::max();
    more_ = true;
    Wake();
  });
  service_.watches.Set(*this, due());
}

// When Turn() has to be called, whatever else happens.
TimePoint RunningWatch::due() const {
  const TimePoint end = std::min(deadline_, parked_until_);
  return checking_ ? end : std::min(end, next_check_);
}

bool RunningWatch::Lasts(TimePoint now) const {
  if (ended_ || gone_ || service_.shared.stopping.load(std::memory_order_relaxed)) return false;
  return now < deadline_ ||
         (starting_ && writable_ && std::chrono::system_clock::now() < identity_->expires);
}

// No handler is above it: what is thrown ends this watch, and nothing else.
void RunningWatch::Turn() {
  if (watcher_ == nullptr) return;
  try {
    DoTurn();
  } catch (const std::exception& failure) {
    Log(LogLevel::kError, "A watch failed", {{"err", failure.what()}});
    exchange_->Abort();
    if (watcher_ != nullptr) Close();
  }
}

void RunningWatch::DoTurn() {
  const TimePoint now = service_.worker.Now();
  if (!Lasts(now)) return Close();
  if (now >= parked_until_) {
    exchange_->Abort();
    return Close();
  }
  if (checking_) return;  // Which comes back here.
  if (now >= next_check_) {
    checking_ = true;
    service_.watches.Set(*this, due());
    service_.worker.Spawn(Check(Self::Share(this)));
    return;
  }
  if (writable_ && more_) {
    // Others on the connection may have been quicker: what it does not take would be kept.
    if (exchange_->Room() == 0) {
      Park();
    } else {
      more_ = watcher_->OnWritable();
      starting_ = starting_ && more_;
      if (more_ && writable_) Wake();
    }
  }
  service_.watches.Set(*this, due());
}

void RunningWatch::Close() {
  watcher_.reset();
  const Self self = Self::Share(this);
  service_.watches.Remove(*this);
  service_.worker.Spawn(Finish(self));
}

Async<void> RunningWatch::Finish(Self self) {
  try {
    const http::HeaderList no_trailers;
    static_cast<void>(co_await self->exchange_->Finish(no_trailers));
  } catch (const std::exception& failure) {
    Log(LogLevel::kError, "Ending a watch failed", {{"err", failure.what()}});
    self->exchange_->Abort();
  }
  self->record_.Close(*self->exchange_, self->identity_->name, self->service_.worker.Now());
  self->exchange_->EndOngoing();
}

Async<void> RunningWatch::Check(Self self) {
  const bool allowed = co_await self->StillAllowed();
  self->checking_ = false;
  if (self->watcher_ == nullptr) co_return;
  if (!allowed) {
    ProcessMetrics().watches_reauth_terminated.Add();
    self->Close();
    co_return;
  }
  self->next_check_ = NextCheck(self->service_);
  self->Turn();
}

// Authentication and authorisation again, through the caches of verdicts. A check that fails for
// upstream's sake is tolerated for a while; a refusal is not.
Async<bool> RunningWatch::StillAllowed() {
  static const http::HeaderList kNone;
  exchange_->RecheckCertificate();
  const Promise<AuthResult> authentication(service_.worker);
  service_.shared.authenticator.Authenticate(
      exchange_->certificate(), credentials_ != nullptr ? *credentials_ : kNone, service_.worker,
      service_.reviews,
      [authentication](AuthResult result) { authentication.Set(std::move(result)); });
  const std::optional<AuthResult> who = co_await authentication.Take();
  bool unknown =
      who->kind == AuthResult::Kind::kUnavailable || who->kind == AuthResult::Kind::kOverloaded;
  if (!unknown) {
    if (who->kind != AuthResult::Kind::kAuthenticated || who->identity->name != identity_->name)
      co_return false;
    const Promise<Verdict> authorization(service_.worker);
    service_.shared.authorizer.Authorize(
        who->identity, attributes_.Unpack(), service_.worker, service_.reviews,
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

}  // namespace weir
