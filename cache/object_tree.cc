#include "cache/object_tree.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir {

namespace {

constexpr uint32_t kMaxEntries = 64;
constexpr uint32_t kMinEntries = 16;  // Of all nodes but the root.
// Bulk loading leaves room for the changes that follow; two nodes merge when they fit with some
// room.
constexpr uint32_t kComfortable = 48;

}  // namespace

ObjectTree::Sums& ObjectTree::Sums::operator+=(const Sums& other) {
  objects += other.objects;
  rest_bytes += other.rest_bytes;
  metadata_bytes += other.metadata_bytes;
  return *this;
}

ObjectTree::Sums& ObjectTree::Sums::operator-=(const Sums& other) {
  objects -= other.objects;
  rest_bytes -= other.rest_bytes;
  metadata_bytes -= other.metadata_bytes;
  return *this;
}

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
  const Object* firsts_[kMaxEntries];  // Of a leaf: the objects, each with a reference.
  // Behind it, in an inner node: the children, each with a reference.
};

ObjectTree::Node* ObjectTree::Node::New(uint32_t level) {
  const size_t children = level == 0 ? 0 : sizeof(Node*) * kMaxEntries;
  return new (::operator new(sizeof(Node) + children)) Node(level);
}

ObjectTree::Node** ObjectTree::Node::children() const {
  return reinterpret_cast<Node**>(const_cast<Node*>(this) + 1);
}

ObjectTree::Node* ObjectTree::Node::Clone() const {
  Node* const copy = New(level_);
  copy->sums_ = sums_;
  copy->size_ = size_;
  copy->CopyEntries(0, *this, 0, size_);
  for (uint32_t i = 0; i < size_; ++i) {
    if (is_leaf()) {
      firsts_[i]->Ref();
    } else {
      child(i)->Ref();
    }
  }
  return copy;
}

void ObjectTree::Node::Delete() const {
  for (uint32_t i = 0; i < size_; ++i) {
    if (is_leaf()) {
      firsts_[i]->Unref();
    } else {
      child(i)->Unref();
    }
  }
  auto* const self = const_cast<Node*>(this);
  self->~Node();
  ::operator delete(self);
}

uint32_t ObjectTree::Node::LowerBound(std::string_view key) const {
  const auto* const found =
      std::lower_bound(firsts_, firsts_ + size_, key,
                       [](const Object* object, std::string_view k) { return object->key() < k; });
  return static_cast<uint32_t>(found - firsts_);
}

uint32_t ObjectTree::Node::ChildFor(std::string_view key) const {
  const auto* const found =
      std::upper_bound(firsts_, firsts_ + size_, key,
                       [](std::string_view k, const Object* object) { return k < object->key(); });
  // A key before all others belongs below the first child.
  return found == firsts_ ? 0 : static_cast<uint32_t>(found - firsts_) - 1;
}

void ObjectTree::Node::CopyEntries(uint32_t to, const Node& from, uint32_t begin, uint32_t count) {
  std::copy_n(from.firsts_ + begin, count, firsts_ + to);
  if (!is_leaf()) std::copy_n(from.children() + begin, count, children() + to);
}

void ObjectTree::Node::MakeRoom(uint32_t i, uint32_t count) {
  std::copy_backward(firsts_ + i, firsts_ + size_, firsts_ + size_ + count);
  if (!is_leaf()) {
    std::copy_backward(children() + i, children() + size_, children() + size_ + count);
  }
  size_ += count;
}

void ObjectTree::Node::CloseGap(uint32_t i, uint32_t count) {
  std::copy(firsts_ + i + count, firsts_ + size_, firsts_ + i);
  if (!is_leaf()) std::copy(children() + i + count, children() + size_, children() + i);
  size_ -= count;
}

void ObjectTree::Node::InsertObject(uint32_t i, const Object* object) {
  MakeRoom(i, 1);
  firsts_[i] = object;
  sums_ += Sums::Of(*object);
}

void ObjectTree::Node::InsertChild(uint32_t i, Node* child) {
  MakeRoom(i, 1);
  children()[i] = child;
  firsts_[i] = child->object(0);
}

const Object* ObjectTree::Node::ReplaceObject(uint32_t i, const Object* object) {
  sums_ += Sums::Of(*object);
  sums_ -= Sums::Of(*firsts_[i]);
  return std::exchange(firsts_[i], object);
}

const Object* ObjectTree::Node::RemoveObject(uint32_t i) {
  const Object* const object = firsts_[i];
  CloseGap(i, 1);
  sums_ -= Sums::Of(*object);
  return object;
}

void ObjectTree::Node::RemoveChild(uint32_t i) { CloseGap(i, 1); }

void ObjectTree::Node::Refresh(uint32_t i, const Sums& before) {
  const Node& changed = *child(i);
  sums_ += changed.sums_;
  sums_ -= before;
  if (changed.size_ > 0) firsts_[i] = changed.firsts_[0];
}

void ObjectTree::Node::TakeFirst(Node& from, uint32_t count) {
  CopyEntries(size_, from, 0, count);
  size_ += count;
  from.CloseGap(0, count);
}

void ObjectTree::Node::TakeLast(Node& from, uint32_t count) {
  MakeRoom(0, count);
  CopyEntries(0, from, from.size_ - count, count);
  from.size_ -= count;
}

void ObjectTree::Node::Sum() {
  sums_ = {};
  for (uint32_t i = 0; i < size_; ++i) {
    sums_ += is_leaf() ? Sums::Of(*firsts_[i]) : child(i)->sums_;
  }
}

// Changes one tree: every node it writes to is the tree's alone, or becomes so first.
class ObjectTree::Editor {
 public:
  explicit Editor(ObjectTree& tree) : tree_(tree) {}

  ObjectRef Put(ObjectRef object) {
    if (!tree_.root_) tree_.root_ = RefPtr<Node>::Adopt(Node::New(0));
    Node* root = Own(tree_.root_.release());
    Node* const right = Put(*root, std::move(object));
    if (right != nullptr) {
      Node* const above = Node::New(root->level() + 1);
      above->InsertChild(0, root);
      above->InsertChild(1, right);
      above->Sum();
      root = above;
    }
    tree_.root_ = RefPtr<Node>::Adopt(root);
    return std::move(replaced_);
  }

  // `key` is in the tree.
  ObjectRef Remove(std::string_view key) {
    Node* root = Own(tree_.root_.release());
    ObjectRef removed = Remove(*root, key);
    if (!root->is_leaf() && root->size() == 1) {
      Node* const only = root->child(0);
      only->Ref();
      root->Unref();
      root = only;
    }
    tree_.root_ = RefPtr<Node>::Adopt(root);
    if (root->size() == 0) tree_.root_ = nullptr;
    return removed;
  }

 private:
  // Takes a reference and gives one to a node that nobody else holds.
  Node* Own(Node* node) {
    if (node->IsMine()) return node;
    Node* const copy = node->Clone();
    node->Unref();
    ++tree_.nodes_copied_;
    return copy;
  }

  Node& OwnChild(Node& parent, uint32_t i) {
    Node* const child = Own(parent.child(i));
    parent.SetChild(i, child);
    return *child;
  }

  // Returns the new right neighbour when `node` had to be split.
  Node* Put(Node& node, ObjectRef object) {
    const std::string_view key = object->key();
    if (node.is_leaf()) {
      const uint32_t i = node.LowerBound(key);
      if (i < node.size() && node.object(i)->key() == key) {
        replaced_ = ObjectRef::Adopt(node.ReplaceObject(i, object.release()));
        return nullptr;
      }
      Node* const right = node.size() == kMaxEntries ? Split(node) : nullptr;
      const bool goes_right = right != nullptr && i > node.size();
      Node& target = goes_right ? *right : node;
      target.InsertObject(goes_right ? i - node.size() : i, object.release());
      return right;
    }
    const uint32_t i = node.ChildFor(key);
    Node& child = OwnChild(node, i);
    const Sums before = child.sums();
    Node* const new_child = Put(child, std::move(object));
    node.Refresh(i, before);
    return new_child == nullptr ? nullptr : PutChild(node, i + 1, new_child);
  }

  Node* PutChild(Node& node, uint32_t i, Node* child) {
    Node* const right = node.size() == kMaxEntries ? Split(node) : nullptr;
    const bool goes_right = right != nullptr && i > node.size();
    Node& target = goes_right ? *right : node;
    target.InsertChild(goes_right ? i - node.size() : i, child);
    target.Sum();
    return right;
  }

  static Node* Split(Node& node) {
    Node* const right = Node::New(node.level());
    right->TakeLast(node, node.size() / 2);
    node.Sum();
    right->Sum();
    return right;
  }

  ObjectRef Remove(Node& node, std::string_view key) {
    if (node.is_leaf()) return ObjectRef::Adopt(node.RemoveObject(node.LowerBound(key)));
    const uint32_t i = node.ChildFor(key);
    Node& child = OwnChild(node, i);
    const Sums before = child.sums();
    ObjectRef removed = Remove(child, key);
    node.Refresh(i, before);
    if (child.size() < kMinEntries && node.size() > 1) Rebalance(node, i);
    return removed;
  }

  // Child `i` is too small: fills it from a neighbour, or makes one node of both.
  void Rebalance(Node& node, uint32_t i) {
    const uint32_t left_index = i == 0 ? 0 : i - 1;
    Node& left = OwnChild(node, left_index);
    Node& right = OwnChild(node, left_index + 1);
    const uint32_t total = left.size() + right.size();
    if (total <= kComfortable) {
      left.TakeFirst(right, right.size());
      left.Sum();
      node.RemoveChild(left_index + 1);
      right.Unref();
    } else {
      const uint32_t half = total / 2;
      if (left.size() < half) {
        left.TakeFirst(right, half - left.size());
      } else {
        right.TakeLast(left, left.size() - half);
      }
      left.Sum();
      right.Sum();
      node.Refresh(left_index + 1, right.sums());
    }
    node.Refresh(left_index, left.sums());
  }

  ObjectTree& tree_;
  ObjectRef replaced_;
};

ObjectTree::ObjectTree() = default;
ObjectTree::ObjectTree(const ObjectTree& other) : root_(other.root_) {}
ObjectTree::ObjectTree(ObjectTree&& other) noexcept
    : root_(std::move(other.root_)), nodes_copied_(std::exchange(other.nodes_copied_, 0)) {}
ObjectTree& ObjectTree::operator=(ObjectTree other) noexcept {
  std::swap(root_, other.root_);
  std::swap(nodes_copied_, other.nodes_copied_);
  return *this;
}
ObjectTree::~ObjectTree() = default;

ObjectTree ObjectTree::FromSorted(std::vector<ObjectRef> objects) {
  ObjectTree tree;
  const auto in_disorder = [](const ObjectRef& a, const ObjectRef& b) {
    return a->key() >= b->key();
  };
  if (std::adjacent_find(objects.begin(), objects.end(), in_disorder) != objects.end()) {
    for (ObjectRef& object : objects) tree.Put(std::move(object));
    return tree;
  }
  if (objects.empty()) return tree;

  // The entries of a level are spread evenly over as few comfortable nodes as hold them.
  const auto share = [](size_t entries, size_t nodes, size_t i) {
    return entries * (i + 1) / nodes - entries * i / nodes;
  };
  std::vector<Node*> level;
  const size_t leaves = (objects.size() + kComfortable - 1) / kComfortable;
  for (size_t i = 0, next = 0; i < leaves; ++i) {
    Node* const leaf = level.emplace_back(Node::New(0));
    for (size_t n = share(objects.size(), leaves, i); n > 0; --n) {
      leaf->InsertObject(leaf->size(), objects[next++].release());
    }
  }
  while (level.size() > 1) {
    std::vector<Node*> above;
    const size_t nodes = (level.size() + kComfortable - 1) / kComfortable;
    for (size_t i = 0, next = 0; i < nodes; ++i) {
      Node* const node = above.emplace_back(Node::New(level.front()->level() + 1));
      for (size_t n = share(level.size(), nodes, i); n > 0; --n) {
        node->InsertChild(node->size(), level[next++]);
      }
      node->Sum();
    }
    level = std::move(above);
  }
  tree.root_ = RefPtr<Node>::Adopt(level.front());
  return tree;
}

ObjectRef ObjectTree::Put(ObjectRef object) { return Editor(*this).Put(std::move(object)); }

ObjectRef ObjectTree::Remove(std::string_view key) {
  // A key that is not there must not cost copies.
  const ObjectRef found = Find(key);
  if (!found) return nullptr;
  return Editor(*this).Remove(found->key());
}

ObjectRef ObjectTree::Find(std::string_view key) const {
  const Node* node = root_.get();
  if (node == nullptr) return nullptr;
  while (!node->is_leaf()) node = node->child(node->ChildFor(key));
  const uint32_t i = node->LowerBound(key);
  if (i == node->size() || node->object(i)->key() != key) return nullptr;
  return ObjectRef::Share(node->object(i));
}

ObjectTree::Cursor ObjectTree::Begin() const { return LowerBound({}); }

ObjectTree::Cursor ObjectTree::LowerBound(std::string_view key) const {
  Cursor cursor;
  const Node* node = root_.get();
  if (node == nullptr) return cursor;
  while (!node->is_leaf()) {
    const uint32_t i = node->ChildFor(key);
    cursor.path_[cursor.depth_++] = {node, i};
    node = node->child(i);
  }
  const uint32_t i = node->LowerBound(key);
  if (i < node->size()) {
    cursor.path_[cursor.depth_++] = {node, i};
    return cursor;
  }
  // Behind the last entry of this leaf: at the first of the next one.
  cursor.path_[cursor.depth_++] = {node, node->size() - 1};
  cursor.Next();
  return cursor;
}

const Object& ObjectTree::Cursor::operator*() const {
  const Level& leaf = path_[depth_ - 1];
  return *leaf.node->object(leaf.index);
}

void ObjectTree::Cursor::Next() {
  while (depth_ > 0 && ++path_[depth_ - 1].index == path_[depth_ - 1].node->size()) --depth_;
  if (depth_ == 0) return;
  for (const Level* level = &path_[depth_ - 1]; !level->node->is_leaf();
       level = &path_[depth_ - 1]) {
    path_[depth_++] = {level->node->child(level->index), 0};
  }
}

void ObjectTree::Cursor::Prefetch() const {
  constexpr uint32_t kAhead = 4;
  const Level& leaf = path_[depth_ - 1];
  if (leaf.index + kAhead >= leaf.node->size()) return;
  const auto* const object = reinterpret_cast<const char*>(leaf.node->object(leaf.index + kAhead));
  __builtin_prefetch(object);
  __builtin_prefetch(object + 64);
}

ObjectTree::Sums ObjectTree::sums() const { return root_ ? root_->sums() : Sums(); }

ObjectTree::Sums ObjectTree::SumsBetween(std::string_view from, std::string_view to) const {
  const auto below = [this](std::string_view key) {
    Sums sums;
    const Node* node = root_.get();
    while (node != nullptr && !node->is_leaf()) {
      const uint32_t at = node->ChildFor(key);
      for (uint32_t i = 0; i < at; ++i) sums += node->child(i)->sums();
      node = node->child(at);
    }
    if (node == nullptr) return sums;
    const uint32_t end = node->LowerBound(key);
    for (uint32_t i = 0; i < end; ++i) sums += Sums::Of(*node->object(i));
    return sums;
  };
  Sums upper = to.empty() ? sums() : below(to);
  const Sums lower = below(from);
  if (upper.objects <= lower.objects) return {};
  upper -= lower;
  return upper;
}

size_t ObjectTree::node_bytes() { return sizeof(Node) + sizeof(Node*) * kMaxEntries; }

namespace {

// `last`: the object before this node's first.
bool ConsistentNode(const ObjectTree::Node& node, bool is_root, const Object*& last) {
  if (node.size() > kMaxEntries || node.size() == 0) return false;
  if (!is_root && node.size() < kMinEntries) return false;
  if (is_root && !node.is_leaf() && node.size() < 2) return false;
  ObjectTree::Sums sums;
  for (uint32_t i = 0; i < node.size(); ++i) {
    if (node.is_leaf()) {
      const Object* const object = node.object(i);
      if (last != nullptr && last->key() >= object->key()) return false;
      last = object;
      sums += ObjectTree::Sums::Of(*object);
      continue;
    }
    const ObjectTree::Node& child = *node.child(i);
    if (child.level() + 1 != node.level() || child.object(0) != node.object(i)) return false;
    if (!ConsistentNode(child, false, last)) return false;
    sums += child.sums();
  }
  return sums == node.sums();
}

}  // namespace

bool ObjectTree::Consistent() const {
  const Object* last = nullptr;
  return !root_ || ConsistentNode(*root_, true, last);
}

}  // namespace weir
