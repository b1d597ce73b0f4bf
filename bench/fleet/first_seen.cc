#include "bench/fleet/first_seen.h"

namespace weir::fleet {

FirstSeen::FirstSeen() {
  for (auto& ring : rings_) ring = std::make_unique<Slot[]>(kSlots);
}

std::optional<Duration> FirstSeen::Note(Kind kind, Revision revision, TimePoint now) {
  Slot& slot = rings_[static_cast<size_t>(kind)][revision.value % kSlots];
  uint64_t there = slot.revision.load(std::memory_order_acquire);
  if (there == revision.value) {
    const int64_t since =
        now.time_since_epoch().count() - slot.time.load(std::memory_order_relaxed);
    return Duration(since > 0 ? since : 0);
  }
  if (there > revision.value) return std::nullopt;
  // The time first: who finds the revision finds a time that is not older than its own slot.
  slot.time.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  slot.revision.compare_exchange_strong(there, revision.value, std::memory_order_release);
  return std::nullopt;
}

}  // namespace weir::fleet
