// The objects of a replica by one property, so that a LIST of what one node runs costs what it
// answers, not what there is.
//
//   "spec.nodeName" ─▶ node-7 ─▶ [ns1/web-0, ns1/web-3, ns2/db-1]   in key order
//
// Kept by each worker for itself, from the batches that it gets anyway: always of the newest state,
// without a lock or a copy-on-write. Reads of older states scan. Thread-affine.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/batch.h"
#include "cache/filter.h"
#include "cache/object_tree.h"
#include "protocol/base/containers.h"

namespace weir {

// What objects are looked up by: a selectable field, or the value of a label.
struct IndexedProperty {
  bool is_label = false;
  std::string name;  // "spec.nodeName", or the label's key.
  friend bool operator==(const IndexedProperty&, const IndexedProperty&) = default;
};

class ListIndex {
 public:
  // `fields`: of the type. A field that is not among them has no values.
  ListIndex(IndexedProperty property, std::shared_ptr<const SelectableFields> fields);

  const IndexedProperty& property() const { return property_; }
  // The value that a match of `filter` must have; nothing where it requires none.
  std::optional<std::string_view> Required(const Filter& filter) const;

  // Whether it shows the newest state. Nothing is kept before the first Build(), nor after a
  // Drop() or a batch that does not tell all that it changed.
  bool built() const { return built_; }
  // O(n).
  void Build(const ObjectTree& tree);
  // `batch` follows what is here. O(events), and a move of what lies behind in the same value.
  void Apply(const Batch& batch);
  void Drop();
  // In key order; null: none.
  const std::vector<ObjectRef>* Find(std::string_view value) const;

  size_t values() const { return by_value_.size(); }
  // Held beside the objects themselves, about.
  size_t bytes() const { return objects_ * kObjectBytes + values() * kValueBytes; }

 private:
  // A reference, in a vector that has grown by doubling; a vector and its key, in a hash map.
  static constexpr size_t kObjectBytes = sizeof(ObjectRef) * 3 / 2;
  static constexpr size_t kValueBytes = 128;

  // Nothing where the object has no such label.
  std::optional<std::string_view> ValueOf(const Object& object, std::string& scratch) const;
  void Put(const ObjectRef& object);
  void Remove(const Object& object);

  IndexedProperty property_;
  std::shared_ptr<const SelectableFields> fields_;
  std::optional<size_t> field_;
  StringMap<std::vector<ObjectRef>> by_value_;
  size_t objects_ = 0;
  bool built_ = false;
};

}  // namespace weir
