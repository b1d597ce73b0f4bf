#include "cache/difference.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

class Comparison {
 public:
  Comparison(Revision from, Revision to) : from_(from), to_(to) {}

  bool Run(const ObjectTree& ours, const ObjectTree& theirs) {
    ObjectTree::Cursor a = ours.Begin();
    ObjectTree::Cursor b = theirs.Begin();
    while (possible_ && (a.Valid() || b.Valid())) {
      const int order = !b.Valid() ? -1 : !a.Valid() ? 1 : a->key().compare(b->key());
      if (order < 0) {
        gone_.push_back(Share(*a));
      } else if (order > 0) {
        AddEvent(EventType::kAdded, Share(*b), nullptr);
      } else {
        Compare(*a, *b);
      }
      if (order <= 0) a.Next();
      if (order >= 0) b.Next();
    }
    return possible_ && PlaceDeletions();
  }

  Difference Take() { return std::move(difference_); }

 private:
  static ObjectRef Share(const Object& object) { return ObjectRef::Share(&object); }

  void Compare(const Object& ours, const Object& theirs) {
    if (ours.uid() != theirs.uid()) {
      reborn_.push_back({Share(ours), theirs.revision()});
      AddEvent(EventType::kAdded, Share(theirs), nullptr);
    } else if (ours.revision() != theirs.revision()) {
      AddEvent(EventType::kModified, Share(theirs), Share(ours));
    } else if (ours.rest() != theirs.rest()) {
      difference_.replaced.push_back(Share(theirs));
    }
  }

  void AddEvent(EventType type, ObjectRef object, ObjectRef previous) {
    const Revision revision = object->revision();
    if (revision <= from_ || revision > to_) possible_ = false;
    used_.push_back(revision);
    difference_.events.push_back({revision, type, std::move(object), std::move(previous)});
  }

  // Earliest need first, lowest revision first: if this fails no other assignment succeeds.
  bool PlaceDeletions() {
    std::sort(used_.begin(), used_.end());
    std::stable_sort(reborn_.begin(), reborn_.end(),
                     [](const Reborn& a, const Reborn& b) { return a.before < b.before; });
    for (Reborn& reborn : reborn_) {
      const auto revision = NextFree();
      if (!revision || *revision >= reborn.before) return false;
      AddDeletion(std::move(reborn.object), *revision);
    }
    for (ObjectRef& object : gone_) {
      const auto revision = NextFree();
      if (!revision) return false;
      AddDeletion(std::move(object), *revision);
    }
    std::stable_sort(difference_.events.begin(), difference_.events.end(),
                     [](const LogEvent& a, const LogEvent& b) { return a.revision < b.revision; });
    return true;
  }

  void AddDeletion(ObjectRef previous, Revision revision) {
    ObjectRef object = Object::WithRevision(*previous, revision);
    difference_.events.push_back(
        {revision, EventType::kDeleted, std::move(object), std::move(previous)});
  }

  std::optional<Revision> NextFree() {
    while (last_free_ < to_) {
      ++last_free_.value;
      while (next_used_ < used_.size() && used_[next_used_] < last_free_) ++next_used_;
      if (next_used_ == used_.size() || used_[next_used_] != last_free_) return last_free_;
    }
    return std::nullopt;
  }

  struct Reborn {
    ObjectRef object;
    Revision before;  // Of the object that took its name.
  };

  const Revision from_, to_;
  bool possible_ = true;
  Difference difference_;
  std::vector<Reborn> reborn_;
  std::vector<ObjectRef> gone_;
  std::vector<Revision> used_;
  size_t next_used_ = 0;
  Revision last_free_ = from_;
};

}  // namespace

std::optional<Difference> DifferenceBetween(const ObjectTree& ours, Revision from,
                                            const ObjectTree& theirs, Revision to) {
  Comparison comparison(from, to);
  if (!comparison.Run(ours, theirs)) return std::nullopt;
  return comparison.Take();
}

bool SameStates(const ObjectTree& ours, const std::vector<ObjectRef>& listed) {
  if (ours.sums().objects != listed.size()) return false;
  ObjectTree::Cursor cursor = ours.Begin();
  for (const ObjectRef& object : listed) {
    if (cursor->revision() != object->revision() || cursor->key() != object->key()) return false;
    cursor.Next();
  }
  return true;
}

}  // namespace weir
