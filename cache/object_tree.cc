#include "cache/object_tree.h"

#include <algorithm>
#include <utility>

#include "cache/tree_node.h"

namespace weir {

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

std::optional<ObjectTree::Leaf> ObjectTree::Cursor::WholeLeaf() const {
  if (depth_ == 0 || path_[depth_ - 1].index != 0) return std::nullopt;
  return Leaf(*path_[depth_ - 1].node);
}

void ObjectTree::Cursor::SkipLeaf() {
  Level& leaf = path_[depth_ - 1];
  leaf.index = leaf.node->size() - 1;
  Next();
}

size_t ObjectTree::Leaf::size() const { return node_->size(); }
const Object& ObjectTree::Leaf::operator[](size_t i) const {
  return *node_->object(static_cast<uint32_t>(i));
}
const ReadyBlocks& ObjectTree::Leaf::ready() const { return node_->ready(); }

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
