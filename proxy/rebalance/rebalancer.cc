#include "proxy/rebalance/rebalancer.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"

namespace weir {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1000 / kTicksPerSecond);
constexpr Duration kBetweenWarnings = std::chrono::minutes(1);
// A client that has been told and has nothing to ask is back by then: 90 s, where a look is 5.
constexpr int kLooksOfPause = 18;
constexpr int kMaxLooksOfPause = 720;  // An hour.

Duration Jittered(Duration interval) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const double factor = std::uniform_real_distribution<double>(0.8, 1.2)(random);
  return std::chrono::duration_cast<Duration>(interval * factor);
}

std::vector<HostPort> NamesOf(const Config& config) {
  std::vector<HostPort> names;
  for (const std::string& text : config.rebalance_peers) {
    StatusOr<HostPort> name = ParseHostPort(text);
    if (name.ok()) names.push_back(*std::move(name));
  }
  return names;
}

}  // namespace

Rebalancer::Rebalancer(const LiveConfig& config, Process process, Duration interval)
    : config_(config),
      process_(std::move(process)),
      interval_(interval),
      pause_(interval * kLooksOfPause) {}

Rebalancer::~Rebalancer() {
  Stop();
  worker_.Discard();
}

void Rebalancer::Start() {
  if (config_->rebalance_peers.empty() || std::exchange(started_, true)) return;
  worker_.Start();
  worker_.Post([this] { worker_.Spawn(Run()); });
}

void Rebalancer::Stop() { worker_.Stop(); }

Async<void> Rebalancer::Run() {
  Signal never(worker_);
  for (;;) {
    try {
      co_await Look();
    } catch (const std::exception& failure) {
      Log(LogLevel::kError, "Looking at the other replicas failed", {{"err", failure.what()}});
    }
    const TimePoint next = worker_.Now() + Jittered(interval_);
    while (worker_.Now() < next) {
      SendSome();
      const TimePoint until = plan_.has_value() ? std::min(next, next_tick_) : next;
      static_cast<void>(co_await never.Wait(until));
    }
  }
}

Async<void> Rebalancer::Look() {
  std::vector<HostPort> names = NamesOf(*config_);
  if (names.empty() || process_.closing()) {
    ProcessMetrics().rebalance_peers.Set(0);
    Rest();
    co_return;
  }
  const ReplicaAnswers answers = co_await AskReplicas(worker_, std::move(names));
  WarnOf(answers.silent);
  Decide(process_.load(), answers.replicas);
}

void Rebalancer::Decide(const ReplicaLoad& mine, const std::vector<ReplicaLoad>& replicas) {
  std::vector<ReplicaLoad> peers;
  for (const ReplicaLoad& replica : replicas)
    if (replica.ready && replica.instance != mine.instance) peers.push_back(replica);
  ProcessMetrics().rebalance_peers.Set(static_cast<int64_t>(peers.size()));
  const Share share = ShareOf(mine, peers);
  const bool paused = worker_.Now() < next_plan_;
  if (share.excess == 0 && !paused && !plan_.has_value()) last_excess_ = 0;
  if (share.excess == 0 || !mine.ready) return Rest();
  if (!plan_.has_value()) {
    if (paused) return;
    Begin(share, peers.size());
  } else {
    plan_->LookAgain(share);
  }
}

void Rebalancer::Begin(const Share& share, size_t peers) {
  Log(LogLevel::kInfo, "Sending clients away: more than the share of this replica",
      {{"excess", share.excess}, {"share", share.connections}, {"peers", peers}});
  if (last_excess_ != 0 && share.excess >= last_excess_ - last_excess_ / 4) {
    pause_ = std::min<Duration>(pause_ * 2, interval_ * kMaxLooksOfPause);
    Log(LogLevel::kWarning, "Clients that were sent away came back to this replica",
        {{"excess", share.excess}, {"nextAfter", FormatDuration(pause_)}});
  } else {
    pause_ = interval_ * kLooksOfPause;
  }
  last_excess_ = share.excess;
  sent_ = 0;
  plan_.emplace(share);
}

// Nothing is to be sent away for a while.
void Rebalancer::Rest() {
  if (!plan_.has_value()) return;
  plan_.reset();
  next_plan_ = worker_.Now() + pause_;
  Log(LogLevel::kInfo, "No more clients are sent away", {{"sent", sent_}});
}

void Rebalancer::SendSome() {
  if (!plan_.has_value() || worker_.Now() < next_tick_ || process_.closing()) return;
  next_tick_ = worker_.Now() + kTick;
  const std::vector<size_t> connections = process_.connections();
  uint64_t all = 0;
  for (const size_t each : connections) all += each;
  const uint64_t count = plan_->Take(all, MostInTick(tick_++, config_->rebalance_per_second));
  if (count == 0) return;
  sent_ += count;
  const std::vector<size_t> by_worker = SpreadOver(connections, count);
  for (size_t i = 0; i < by_worker.size(); ++i)
    if (by_worker[i] > 0) process_.send_away(i, by_worker[i]);
  if (plan_->done()) Rest();
}

void Rebalancer::WarnOf(const std::vector<ReplicaAnswers::Silent>& silent) {
  if (silent.empty() || worker_.Now() < next_warning_) return;
  next_warning_ = worker_.Now() + kBetweenWarnings;
  for (const ReplicaAnswers::Silent& each : silent) {
    Log(LogLevel::kWarning, "No replica answers at a name of --rebalance-peers",
        {{"name", fmt::format("{}:{}", each.name.host, each.name.port)}, {"err", each.why}});
  }
}

}  // namespace weir
