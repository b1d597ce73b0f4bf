#include "bench/fleet/known_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "protocol/k8s/metadata_scan.h"

namespace weir::fleet {

namespace {
std::string KeyOf(const ScannedObject& object) {
  return fmt::format("{}/{}", object.namespace_, object.name);
}
}  // namespace

JsonListReader KnownState::BeginList() {
  objects_.clear();
  deleted_.clear();
  return JsonListReader([this](std::string_view item) {
    WEIR_ASSIGN_OR_RETURN(const ScannedObject object, MetadataScanner().Scan(item));
    objects_[KeyOf(object)] = object.revision;
    return OkStatus();
  });
}

Status KnownState::Apply(FrameType type, std::string_view json) {
  WEIR_ASSIGN_OR_RETURN(const ScannedObject object, MetadataScanner().Scan(json));
  const std::string key = KeyOf(object);
  if (type == FrameType::kDeleted) {
    objects_.erase(key);
    deleted_[key] = object.revision;
  } else {
    objects_[key] = object.revision;
  }
  return OkStatus();
}

size_t KnownState::Differences(const KnownState& list, Revision listed_at,
                               std::string& first) const {
  size_t differences = 0;
  const auto differs = [&](const std::string& key, std::string_view how) {
    if (differences++ == 0) first = fmt::format("{} {}", key, how);
  };
  for (const auto& [key, revision] : list.objects_) {
    if (const auto here = objects_.find(key); here != objects_.end()) {
      const bool same = here->second == revision;
      if (!same && here->second <= listed_at)
        differs(key, fmt::format("is at {}, not {}", here->second.value, revision.value));
      continue;
    }
    const auto gone = deleted_.find(key);
    if (gone == deleted_.end() || gone->second <= listed_at) differs(key, "is missing");
  }
  for (const auto& [key, revision] : objects_) {
    if (!list.objects_.contains(key) && revision <= listed_at) differs(key, "should be gone");
  }
  return differences;
}

}  // namespace weir::fleet
