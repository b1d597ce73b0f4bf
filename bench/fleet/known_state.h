// What a sampled watcher knows, and whether a fresh list agrees with it.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "protocol/base/status.h"
#include "protocol/k8s/list_reader.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/watch_frame.h"

namespace weir::fleet {

// Objects by "namespace/name" with their revisions, and what was deleted. Thread-affine.
class KnownState {
 public:
  // Replaces all by a list. The reader is fed by the caller; Finish it, then BeginAt() says at what
  // revision the list was.
  JsonListReader BeginList();
  // InvalidArgument: not an object.
  Status Apply(FrameType type, std::string_view object);

  // Compares with a later list of the same selection, read at `listed_at`: every object has the
  // list's revision or a later one, nothing else is there but what came later, nothing is missing
  // but what was deleted later. Returns how many objects differ; `first` names one of them.
  size_t Differences(const KnownState& list, Revision listed_at, std::string& first) const;

  size_t size() const { return objects_.size(); }

 private:
  absl::flat_hash_map<std::string, Revision> objects_;
  absl::flat_hash_map<std::string, Revision> deleted_;
};

}  // namespace weir::fleet
