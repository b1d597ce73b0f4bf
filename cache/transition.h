// What one change means to one filter (api-semantics 3.5).
#pragma once

#include <cstdint>

#include "cache/batch.h"

namespace weir {

enum class Transition : uint8_t {
  kNone,     // Outside before and after.
  kEnters,   // ADDED with the new state.
  kStays,    // MODIFIED with the new state.
  kLeaves,   // DELETED with the previous state and the new revision: it still exists, but outside.
  kDeleted,  // DELETED with the last state and the deletion's revision.
};

// `filter` is a Filter, or a View, which has one.
template <typename Wanted>
Transition TransitionOf(const Wanted& filter, const LogEvent& event) {
  const bool deleted = event.type == EventType::kDeleted;
  if (filter.everything()) {
    if (deleted) return Transition::kDeleted;
    return event.previous ? Transition::kStays : Transition::kEnters;
  }
  const bool before = event.previous && filter.Matches(*event.previous);
  const bool after = !deleted && filter.Matches(*event.object);
  if (after) return before ? Transition::kStays : Transition::kEnters;
  if (!before) return Transition::kNone;
  return deleted ? Transition::kDeleted : Transition::kLeaves;
}

}  // namespace weir
