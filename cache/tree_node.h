// The nodes of ObjectTree; nobody else's business.
#pragma once

#include <cstdint>
#include <string_view>

#include "cache/object_tree.h"
#include "cache/ready_blocks.h"
#include "protocol/base/ref_counted.h"

namespace weir {

inline constexpr uint32_t kMaxEntries = 64;
inline constexpr uint32_t kMinEntries = 16;  // Of all nodes but the root.
// Bulk loading leaves room for the changes that follow; two nodes merge when they fit with some
// room.
inline constexpr uint32_t kComfortable = 48;

// A leaf holds objects; an inner node holds nodes, and beside each the first object below it, which
// makes the search the same in both. Changed only while a single tree holds it; every other node is
// immutable.
class ObjectTree::Node {
 public:
  static Node* New(uint32_t level);
  Node* Clone() const;

  void Ref() const { count_.Increment(); }
  void Unref() const {
    if (count_.Decrement()) Delete();
  }
  bool IsMine() const { return count_.IsOne(); }

  bool is_leaf() const { return level_ == 0; }
  uint32_t level() const { return level_; }
  uint32_t size() const { return size_; }
  const Sums& sums() const { return sums_; }
  const Object* object(uint32_t i) const { return firsts_[i]; }
  Node* child(uint32_t i) const { return children()[i]; }

  // The first entry whose key is ≥ `key`; size() if there is none.
  uint32_t LowerBound(std::string_view key) const;
  // Of an inner node: the child below which `key` belongs.
  uint32_t ChildFor(std::string_view key) const;

  // Entries come and go with the reference that they hold.
  void InsertObject(uint32_t i, const Object* object);
  void InsertChild(uint32_t i, Node* child);
  const Object* ReplaceObject(uint32_t i, const Object* object);
  const Object* RemoveObject(uint32_t i);
  void RemoveChild(uint32_t i);  // The child has been emptied into its neighbour.
  void SetChild(uint32_t i, Node* child) { children()[i] = child; }

  // After `child(i)` changed: its first object and this node's sums.
  void Refresh(uint32_t i, const Sums& before);
  // Moves `count` entries from the front or the end of `from`, in order, to the other's facing end.
  void TakeFirst(Node& from, uint32_t count);
  void TakeLast(Node& from, uint32_t count);
  void Sum();

  // Of a leaf: what readers have made of all its objects. Every change throws it away.
  const ReadyBlocks& ready() const { return ready_; }

 private:
  explicit Node(uint32_t level) : level_(level) {}
  ~Node() = default;
  void Delete() const;
  Node** children() const;
  void MakeRoom(uint32_t i, uint32_t count);
  void CloseGap(uint32_t i, uint32_t count);
  void CopyEntries(uint32_t to, const Node& from, uint32_t begin, uint32_t count);

  RefCount count_;
  const uint32_t level_;
  uint32_t size_ = 0;
  Sums sums_;
  ReadyBlocks ready_;
  const Object* firsts_[kMaxEntries];  // Of a leaf: the objects, each with a reference.
  // Behind it, in an inner node: the children, each with a reference.
};

}  // namespace weir
