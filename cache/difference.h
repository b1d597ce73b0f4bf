// What lies between a cache's state and a newer LIST, in the form of events (design section 8).
#pragma once

#include <optional>
#include <vector>

#include "cache/batch.h"
#include "cache/object.h"
#include "cache/object_tree.h"
#include "protocol/k8s/resource.h"

namespace weir {

struct Difference {
  std::vector<LogEvent> events;     // By rising revision.
  std::vector<ObjectRef> replaced;  // New bytes at an unchanged revision: no event.
};

// The events that lead from `ours`, at `from`, to `theirs`, listed at `to`. An object with another
// UID is DELETED, then ADDED. A DELETED takes a revision above `from`, up to `to`, that no change
// has: those of changed UIDs first, lowest first. Nothing where that cannot be: fewer free
// revisions than deletions, none below that of the new UID's object, or a change whose own revision
// is not above `from` or is above `to`. O(objects).
std::optional<Difference> DifferenceBetween(const ObjectTree& ours, Revision from,
                                            const ObjectTree& theirs, Revision to);

// Whether the items of a LIST are the same objects at the same revisions. O(objects).
bool SameStates(const ObjectTree& ours, const std::vector<ObjectRef>& listed);

}  // namespace weir
