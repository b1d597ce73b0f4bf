#include "proxy/session/past_watches.h"

#include <algorithm>

namespace weir {

namespace {

constexpr Duration kPart =
    std::chrono::duration_cast<Duration>(std::chrono::seconds(1)) / PastWatches::kPerSecond;

}  // namespace

std::optional<PastWatches::Place> PastWatches::Enter(TimePoint now) {
  const MutexLock lock(mutex_);
  const TimePoint spent_until = std::max(spent_until_, now) + kPart;
  if (under_way_ == kMost || spent_until - now > kMost * kPart) return std::nullopt;
  spent_until_ = spent_until;
  ++under_way_;
  return Place(*this);
}

void PastWatches::Leave() {
  const MutexLock lock(mutex_);
  --under_way_;
}

}  // namespace weir
