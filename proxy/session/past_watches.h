// How many watches are forwarded because they go on from a revision that no cache here remembers,
// and upstream may.
//
// Each holds a watch upstream until it ends, so they are few: what a restart of Weir or of a feed
// makes of every client at once must stay a 410 and a LIST from the cache. And since upstream
// refuses most of those at once, how many begin in a second is bounded as well.
#pragma once

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "protocol/base/executor.h"
#include "protocol/base/mutex.h"

namespace weir {

// Thread-safe.
class PastWatches {
 public:
  static constexpr int kMost = 100;
  static constexpr int kPerSecond = 10;  // After as many as may be at once.

  // One of them, until it is destroyed; the PastWatches outlives it.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      Leave();
      owner_ = std::exchange(other.owner_, nullptr);
      return *this;
    }
    ~Place() { Leave(); }

   private:
    friend class PastWatches;
    explicit Place(PastWatches& owner) : owner_(&owner) {}
    void Leave() {
      if (owner_ != nullptr) std::exchange(owner_, nullptr)->Leave();
    }

    PastWatches* owner_ = nullptr;
  };

  // Nothing: there are too many, or too many came of late.
  std::optional<Place> Enter(TimePoint now);

 private:
  void Leave();

  Mutex mutex_;
  int under_way_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint spent_until_ ABSL_GUARDED_BY(mutex_){};  // As if each took its part of a second.
};

}  // namespace weir
