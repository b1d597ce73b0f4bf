// The simulator's etcd and watch caches in one: objects, one global revision, and a bounded history
// per type.
//
// Thread-affine. The trees, objects and filters are those of cache/; everything that decides *what
// is answered when* is written here anew, so that Weir is not tested against its own reading of the
// rules.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "bench/sim/json_value.h"
#include "bench/sim/types.h"
#include "cache/batch.h"
#include "cache/object.h"
#include "cache/object_tree.h"
#include "cache/snapshot.h"
#include "protocol/base/status.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir::sim {

class Watch;

// One change, with the frames that tell it. Each frame is made at most once, for whoever asks
// first.
class Change {
 public:
  enum class Form : uint8_t {
    kAdded,     // The new state, as ADDED.
    kModified,  // The new state, as MODIFIED.
    kDeleted,   // The last state with the deletion's revision.
    kLeft,      // The previous state with this revision, as DELETED: it left a selector.
  };

  Change(LogEvent event, std::shared_ptr<const TypeForm> form)
      : event_(std::move(event)), form_(std::move(form)) {}

  const LogEvent& event() const { return event_; }
  // A whole line of the stream.
  const std::string& Frame(Form form) const;
  void DropFrames() { frames_ = {}; }

 private:
  LogEvent event_;
  std::shared_ptr<const TypeForm> form_;
  mutable std::array<std::string, 4> frames_;
};

// One type: its objects and what happened to them lately.
class Collection {
 public:
  Collection(TypeSpec spec, size_t history);

  const TypeSpec& spec() const { return spec_; }
  const std::shared_ptr<const TypeForm>& form() const { return form_; }
  const ObjectTree& tree() const { return tree_; }
  // What a kube-apiserver's watch cache would call its resourceVersion: it moves with events of
  // this type, consistent reads and progress notifications, not with every write elsewhere.
  Revision cache_revision() const { return cache_revision_; }
  void Advance(Revision revision);
  // A watch can start after this revision; at least one below it cannot.
  Revision oldest() const { return oldest_; }

  // The state as of `revision`; nothing when it is not kept any more.
  std::optional<Snapshot> At(Revision revision) const;
  Snapshot Now() const { return {tree_, cache_revision_, form_}; }

  // Changes are numbered from 1 without gaps.
  uint64_t first_sequence() const { return first_sequence_; }
  uint64_t end_sequence() const { return first_sequence_ + changes_.size(); }
  const Change& change(uint64_t sequence) const { return changes_[sequence - first_sequence_]; }
  // The number of the first change after `revision`; nothing when it is too old.
  std::optional<uint64_t> SequenceAfter(Revision revision) const;

  absl::flat_hash_set<Watch*>& watches() { return watches_; }

 private:
  friend class Store;
  void Commit(LogEvent event);
  void Forget();             // Drops the history.
  bool Rewind(Revision to);  // False when that state is not kept.

  const TypeSpec spec_;
  const size_t history_;
  std::shared_ptr<const TypeForm> form_;
  ObjectTree tree_;
  Revision cache_revision_;
  Revision oldest_;
  std::deque<Change> changes_;
  uint64_t first_sequence_ = 1;
  // States by revision: the one at `oldest_`, and the one after each kept change.
  std::deque<std::pair<Revision, ObjectTree>> states_;
  absl::flat_hash_set<Watch*> watches_;
};

class Store {
 public:
  // `history`: changes kept per type.
  explicit Store(size_t history);

  Revision revision() const { return revision_; }
  // Null: no such type.
  std::shared_ptr<Collection> Find(const ResourceId& id);
  std::shared_ptr<Collection> Find(std::string_view group, std::string_view version,
                                   std::string_view resource);
  const std::map<ResourceId, std::shared_ptr<Collection>>& collections() const {
    return collections_;
  }
  Collection& Add(TypeSpec spec);
  // Deletes all objects, ends all watches when they have told so, and forgets the type.
  void Remove(const ResourceId& id);

  // Creates or replaces. `text` is the whole object in upstream's form, with kNextRevision() in its
  // metadata.
  StatusOr<ObjectRef> Put(Collection& collection, std::string_view text);
  // As above from a tree: puts kind, apiVersion and resourceVersion in, and orders the keys.
  StatusOr<ObjectRef> PutJson(Collection& collection, Json object);
  // Null when it is not there. The result carries the deletion's revision.
  ObjectRef Delete(Collection& collection, std::string_view key);

  uint64_t next_revision() const { return revision_.value + 1; }

  // Faults: etcd compacted; etcd restored from an older backup.
  void Compact();
  Status Rewind(Revision to);

 private:
  StatusOr<ObjectRef> MakeObject(const Collection& collection, std::string_view text);

  const size_t history_;
  Revision revision_{1};
  std::map<ResourceId, std::shared_ptr<Collection>> collections_;
  std::string scratch_;
};

// "{" + prefix + rest: the object as GET and WATCH send it.
std::string WholeObject(const Collection& collection, const Object& object);
// A watch line of any object.
std::string EventFrame(std::string_view prefix, const TypeForm& form, const Object& object);
// Keys in the order in which Go would write this type.
void OrderObject(const TypeSpec& spec, JsonObject& object);

}  // namespace weir::sim
