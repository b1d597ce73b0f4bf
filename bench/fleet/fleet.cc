#include "bench/fleet/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>

#include "bench/fleet/discover.h"

namespace weir::fleet {

namespace {

Duration Seconds(double seconds) { return Duration(static_cast<int64_t>(seconds * 1e9)); }

Async<void> DiscoverInto(Worker& worker, Upstream& upstream,
                         std::promise<StatusOr<ClusterNames>>& result) {
  StatusOr<ClusterNames> names = co_await DiscoverNames(worker, upstream);
  result.set_value(std::move(names));
}

}  // namespace

StatusOr<std::unique_ptr<Fleet>> Fleet::Make(const UpstreamConfig& endpoint,
                                             const FleetOptions& options) {
  std::unique_ptr<Fleet> fleet(new Fleet());
  fleet->options_ = options;
  WEIR_ASSIGN_OR_RETURN(fleet->upstream_, Upstream::Make(endpoint, "", ""));
  WEIR_TRY(fleet->Discover());
  WEIR_TRY(fleet->Populate());
  return fleet;
}

Fleet::~Fleet() {
  // Sockets and timers of the informers need the loop; what their coroutines hold dies with it.
  for (Member& member : members_) {
    member.worker->Stop();
    member.informers.clear();
    member.worker->Discard();
  }
}

Status Fleet::Discover() {
  Worker worker(0);
  worker.Start();
  std::promise<StatusOr<ClusterNames>> result;
  std::future<StatusOr<ClusterNames>> names = result.get_future();
  worker.Spawn(DiscoverInto(worker, *upstream_, result));
  StatusOr<ClusterNames> found = names.get();
  worker.Discard();
  if (!found.ok()) return found.status();
  names_ = std::move(*found);
  return OkStatus();
}

Status Fleet::Populate() {
  watches_ = options_.nodes * WatchesPerNode(names_);
  if (watches_ > options_.max_connections) {
    return InvalidArgument(
        fmt::format("{} nodes have {} watches, a connection each: more than --max-connections {}",
                    options_.nodes, watches_, options_.max_connections));
  }
  for (size_t i = 0; i < options_.workers; ++i) {
    Member& member = members_.emplace_back();
    member.worker = std::make_unique<Worker>(i);
    member.shared.reset(new Shared{.worker = *member.worker,
                                   .upstream = *upstream_,
                                   .first_seen = first_seen_,
                                   .watch_timeout = options_.watch_timeout,
                                   .time_annotation = {},
                                   .settle = Seconds(options_.settle_seconds),
                                   .started = {},
                                   .tally = {},
                                   .random = std::minstd_rand(static_cast<unsigned>(i + 1))});
    if (!options_.time_annotation.empty())
      member.shared->time_annotation = fmt::format("\"{}\":\"", options_.time_annotation);
  }
  for (size_t node = 0; node < options_.nodes; ++node) {
    Member& member = members_[node % members_.size()];
    const bool sampled = options_.sample_every > 0 && node % options_.sample_every == 0;
    for (WatchTarget& target : PlanNode(names_, node)) {
      member.informers.push_back(
          std::make_unique<Informer>(*member.shared, std::move(target), sampled));
    }
  }
  return OkStatus();
}

void Fleet::Start() {
  started_ = std::chrono::steady_clock::now();
  for (Member& member : members_) {
    member.shared->started = started_;
    member.worker->Start();
    member.worker->Post([this, &member] { StartMember(member); });
  }
}

void Fleet::StartMember(Member& member) {
  const size_t count = member.informers.size();
  for (size_t i = 0; i < count; ++i) {
    Informer* const informer = member.informers[i].get();
    const Duration delay =
        Seconds(options_.ramp_seconds * static_cast<double>(i) / static_cast<double>(count));
    member.worker->After(delay, [&member, informer] { member.worker->Spawn(informer->Run()); });
  }
}

Async<void> Fleet::CheckAll(Member& member, std::atomic<size_t>& open) {
  for (const auto& informer : member.informers) {
    if (informer->sampled()) co_await informer->Check();
  }
  member.shared->ending = true;
  --open;
  open.notify_all();
}

Tally Fleet::Finish(Duration& elapsed) {
  elapsed = std::chrono::steady_clock::now() - started_;
  std::atomic<size_t> open = members_.size();
  for (Member& member : members_) {
    member.worker->Post([&member, &open] { member.worker->Spawn(CheckAll(member, open)); });
  }
  for (size_t left = open.load(); left > 0; left = open.load()) open.wait(left);
  Tally total;
  for (Member& member : members_) {
    member.worker->Stop();
    total.Merge(member.shared->tally);
  }
  if (total.synced < watches_) {
    total.errors += watches_ - total.synced;
    total.Note(fmt::format("{} watches never began", watches_ - total.synced));
  }
  return total;
}

}  // namespace weir::fleet
