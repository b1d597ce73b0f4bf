// What is true in one simulated run: the API server's history, and what is known of how each cache
// followed it.
//
// A restored etcd makes a new epoch of history. Between the restore and the moment a cache notices
// it, what its clients see belongs to the old epoch; they may not take it over into the new one (a
// real client could not tell, and neither could an API server). So each type counts eras: even ones
// are calm, odd ones begin with a restore and end when the cache has noticed. Era 2k and 2k+1 are
// of epoch k.
//
// Where a cache resynchronised, its clients see net changes between two revisions: a gap, in which
// single events of the history cannot be expected, but after which the state must be right.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/filter.h"
#include "cache/registry.h"
#include "protocol/k8s/uncached.h"
#include "tests/fakes/fake_api_server.h"

namespace weir::simulation {

using Change = FakeApiServer::Change;
using State = FakeApiServer::State;
using Stored = FakeApiServer::Stored;
using History = std::vector<Change>;

inline State StateAt(const History& history, uint64_t revision) {
  State state;
  for (const Change& change : history) {
    if (change.after.revision.value > revision) break;
    if (change.type == Change::Type::kDeleted) {
      state.erase(change.after.key());
    } else {
      state[change.after.key()] = change.after;
    }
  }
  return state;
}

// What happened to `key` at `revision`; null: nothing.
inline const Change* ChangeOf(const History& history, uint64_t revision, std::string_view key) {
  for (auto change = history.rbegin(); change != history.rend(); ++change) {
    if (change->after.revision.value < revision) break;
    if (change->after.revision.value == revision && change->after.key() == key) return &*change;
  }
  return nullptr;
}

// A filter as the test understands it, and the same one as the cache does.
struct Wanted {
  std::string namespace_, label, node;  // `label`: the value of "app".

  bool Matches(const Stored& stored) const {
    if (!namespace_.empty() && stored.namespace_ != namespace_) return false;
    if (!node.empty() && stored.fields.node != node) return false;
    if (label.empty()) return true;
    const auto found = stored.fields.labels.find("app");
    return found != stored.fields.labels.end() && found->second == label;
  }
  Filter ToFilter() const {
    return Filter(namespace_, LabelSelector::Parse(label.empty() ? "" : "app=" + label).value(),
                  FieldSelector::Parse(node.empty() ? "" : "spec.nodeName=" + node).value(),
                  SelectableFields::BuiltIn({"", "v1", "pods"}));
  }
  // What a watcher with this filter is told of `change`; nothing: no event.
  std::optional<Change::Type> Sees(const Change& change) const {
    const bool before = change.before && Matches(*change.before);
    const bool after = change.type != Change::Type::kDeleted && Matches(change.after);
    if (before) return after ? Change::Type::kModified : Change::Type::kDeleted;
    if (after) return Change::Type::kAdded;
    return std::nullopt;
  }
};

// The truth about one type, as one of its feeds has it.
struct TypeTruth {
  ResourceType type;
  Encoding encoding = Encoding::kJson;  // Of the feed that this truth is about.
  uint64_t era = 0;
  std::vector<History> old_epochs{};
  struct Gap {
    uint64_t epoch, after, until;  // (after, until]
  };
  std::vector<Gap> gaps{};

  // As last polled.
  uint64_t resyncs = 0;
  uint64_t revision = 0, published = 0;

  // As upstream's: several keys may be deleted at one revision, and come apart.
  bool uncached() const { return IsUncachedUpstream(type.id); }
  static uint64_t EpochOf(uint64_t an_era) { return an_era / 2; }
  const History& HistoryOf(uint64_t epoch, const FakeApiServer& server) const {
    return epoch < old_epochs.size() ? old_epochs[epoch] : server.history(type.id);
  }
  // The end of the gap that `at` lies in; 0: in none. What expired just before it may have come in
  // part, and the rest in the gap.
  uint64_t GapEnd(uint64_t epoch, uint64_t at) const {
    uint64_t end = 0;
    for (const Gap& gap : gaps) {
      const bool behind = at > gap.after || (uncached() && at == gap.after);
      if (gap.epoch == epoch && behind && at <= gap.until) end = std::max(end, gap.until);
    }
    return end;
  }
};

}  // namespace weir::simulation
