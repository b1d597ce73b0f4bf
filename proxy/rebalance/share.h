// How much of the replicas' connections is one's own share, and how quickly what is above it goes.
// Arithmetic only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "proxy/rebalance/replica_load.h"

namespace weir {

struct Share {
  uint64_t connections = 0;  // What each replica would have, rounded up.
  uint64_t excess = 0;       // What this one is to send away; 0 within the tolerance.
};

// Of this replica among itself and `peers`, which are ready, and each there once. Without peers
// there is nowhere to send anybody.
//
// The share counts those that are leaving too, wherever they are: their clients come back. Else
// whoever sent away the half of its connections, all with watches that run on, would find the share
// halved, and go on. Where such a client has come back already it counts twice until its watch has
// ended: the share is too large meanwhile, so that too few are sent, not too many.
//
// Within a tenth of the share, and eight connections, nothing is done: a balancer that picks at
// random is no more even than that.
Share ShareOf(const ReplicaLoad& mine, std::span<const ReplicaLoad> peers);

// What is still to be sent away, until the next look at the others.
class ShedPlan {
 public:
  explicit ShedPlan(const Share& share) : share_(share.connections), left_(share.excess) {}

  // By a later look: never more than was left. Who was sent away and had nothing to wait for is
  // nowhere until he asks again, so that the share falls meanwhile.
  void LookAgain(const Share& share) {
    share_ = share.connections;
    left_ = std::min(left_, share.excess);
  }
  bool done() const { return left_ == 0; }

  // How many of `most` go now, where there are `connections` at present: what left by itself need
  // not be sent, and what came since the look is the next look's.
  uint64_t Take(uint64_t connections, uint64_t most) {
    const uint64_t above = connections > share_ ? connections - share_ : 0;
    const uint64_t now = std::min({above, left_, most});
    left_ -= now;
    return now;
  }

 private:
  uint64_t share_;
  uint64_t left_;
};

// A second is ten ticks, so that clients do not all come back at once: how many may be sent away in
// the tick of that number. Any ten in a row make `per_second`.
inline constexpr uint64_t kTicksPerSecond = 10;
uint64_t MostInTick(uint64_t tick, uint64_t per_second);

// Which of `count` goes from which worker: each from the one that has most at that point, so that
// the workers become more even as well. O((workers + count) * log workers).
std::vector<size_t> SpreadOver(std::span<const size_t> connections, size_t count);

}  // namespace weir
