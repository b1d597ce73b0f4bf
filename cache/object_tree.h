// All objects of one resource by key, in a copy-on-write B+tree: a snapshot is one reference to the
// root.
//
// A copy of an ObjectTree is a snapshot: O(1), immutable from then on, readable on any thread.
// Changes to a tree copy only the nodes on the path that a snapshot still holds. Nodes carry sums
// for counts and sizes. Thread-affine where it is changed; copies may be read anywhere. Nodes hold
// up to 64 entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "cache/object.h"

namespace weir {

class ReadyBlocks;

class ObjectTree {
 public:
  struct Sums {
    uint64_t objects = 0;
    uint64_t rest_bytes = 0;      // Object::rest_item_bytes().
    uint64_t metadata_bytes = 0;  // Object::metadata_item_bytes().

    static Sums Of(const Object& object) {
      return {1, object.rest_item_bytes(), object.metadata_item_bytes()};
    }
    Sums& operator+=(const Sums& other);
    Sums& operator-=(const Sums& other);
    friend bool operator==(const Sums&, const Sums&) = default;
  };
  class Node;  // In tree_node.h.
  class Editor;

  // Neighbours that all trees share which hold them unchanged. Valid as a cursor is.
  class Leaf {
   public:
    size_t size() const;  // From 1 to 64.
    const Object& operator[](size_t i) const;
    // What readers have made of exactly these objects.
    const ReadyBlocks& ready() const;

   private:
    friend class ObjectTree;
    explicit Leaf(const Node& node) : node_(&node) {}
    const Node* node_;
  };

  // Walks in key order. Valid as long as the tree that it came from lives unchanged.
  class Cursor {
   public:
    Cursor() = default;
    bool Valid() const { return depth_ > 0; }
    const Object& operator*() const;
    const Object* operator->() const { return &**this; }
    void Next();  // O(1) amortised.
    // Starts fetching the memory of an object some steps ahead; may do nothing.
    void Prefetch() const;
    // The leaf whose first object this is; nothing within one. And the way past it.
    std::optional<Leaf> WholeLeaf() const;
    void SkipLeaf();

   private:
    friend class ObjectTree;
    struct Level {
      const Node* node;
      uint32_t index;
    };
    static constexpr int kMaxDepth = 8;
    Level path_[kMaxDepth];
    int depth_ = 0;
  };

  ObjectTree();
  ObjectTree(const ObjectTree&);
  ObjectTree(ObjectTree&&) noexcept;
  ObjectTree& operator=(ObjectTree) noexcept;
  ~ObjectTree();

  // From objects in strictly rising key order: O(n). In another order it costs more; of equal keys
  // the last one stays.
  static ObjectTree FromSorted(std::vector<ObjectRef> objects);

  // Inserts or replaces; returns what stood there. O(log n).
  ObjectRef Put(ObjectRef object);
  // Returns what was removed, null where there was nothing.
  ObjectRef Remove(std::string_view key);

  ObjectRef Find(std::string_view key) const;  // Null: not there.
  Cursor Begin() const;
  Cursor LowerBound(std::string_view key) const;  // First key ≥ `key`.
  Sums sums() const;
  // Of all keys ≥ `from` and < `to` (to empty: no end). O(log n).
  Sums SumsBetween(std::string_view from, std::string_view to) const;
  bool empty() const { return sums().objects == 0; }

  // Nodes that this tree has copied because a snapshot held them, since it was made; and the size
  // of the larger kind of node.
  uint64_t nodes_copied() const { return nodes_copied_; }
  static size_t node_bytes();
  // Checks order, sums and fill of every node; for tests.
  bool Consistent() const;

 private:
  RefPtr<Node> root_;
  uint64_t nodes_copied_ = 0;
};

}  // namespace weir
