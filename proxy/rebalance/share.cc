#include "proxy/rebalance/share.h"

#include <queue>
#include <utility>

namespace weir {

namespace {
constexpr uint64_t kToleranceDivisor = 10;
constexpr uint64_t kLeastTolerance = 8;
}  // namespace

Share ShareOf(const ReplicaLoad& mine, std::span<const ReplicaLoad> peers) {
  uint64_t total = mine.connections + mine.leaving;
  for (const ReplicaLoad& peer : peers) total += peer.connections + peer.leaving;
  const uint64_t replicas = peers.size() + 1;
  Share share;
  share.connections = (total + replicas - 1) / replicas;
  if (peers.empty()) return share;
  const uint64_t tolerance = std::max(share.connections / kToleranceDivisor, kLeastTolerance);
  if (mine.connections > share.connections + tolerance)
    share.excess = mine.connections - share.connections;
  return share;
}

uint64_t MostInTick(uint64_t tick, uint64_t per_second) {
  const uint64_t of_second = tick % kTicksPerSecond;
  return per_second * (of_second + 1) / kTicksPerSecond - per_second * of_second / kTicksPerSecond;
}

std::vector<size_t> SpreadOver(std::span<const size_t> connections, size_t count) {
  std::vector<size_t> taken(connections.size());
  std::priority_queue<std::pair<size_t, size_t>> most;  // Connections, whose.
  for (size_t i = 0; i < connections.size(); ++i) most.emplace(connections[i], i);
  for (; count > 0 && !most.empty(); --count) {
    const auto [left, worker] = most.top();
    if (left == 0) break;
    most.pop();
    ++taken[worker];
    most.emplace(left - 1, worker);
  }
  return taken;
}

}  // namespace weir
