// When each change was first seen by any watcher: what the later ones are compared with.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>

#include "bench/fleet/watch_plan.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/resource.h"

namespace weir::fleet {

// Thread-safe, without locks: a ring of slots per kind, so that only the latest 65,536 revisions
// are known; a slot that two threads fill at once may lose one of the two times.
class FirstSeen {
 public:
  FirstSeen();

  // The time since the first sight of this revision; null for the first one, and for a revision
  // whose slot a later one has taken.
  std::optional<Duration> Note(Kind kind, Revision revision, TimePoint now);

 private:
  static constexpr size_t kSlots = 1 << 16;
  struct Slot {
    std::atomic<uint64_t> revision{0};
    std::atomic<int64_t> time{0};
  };
  std::array<std::unique_ptr<Slot[]>, kKinds> rings_;
};

}  // namespace weir::fleet
