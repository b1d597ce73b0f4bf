#include "cache/tree_node.h"

#include <algorithm>
#include <utility>

namespace weir {

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
  ready_.Clear();
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
  ready_.Clear();
  sums_ += Sums::Of(*object);
  sums_ -= Sums::Of(*firsts_[i]);
  return std::exchange(firsts_[i], object);
}

const Object* ObjectTree::Node::RemoveObject(uint32_t i) {
  ready_.Clear();
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
  ready_.Clear();
  from.ready_.Clear();
  CopyEntries(size_, from, 0, count);
  size_ += count;
  from.CloseGap(0, count);
}

void ObjectTree::Node::TakeLast(Node& from, uint32_t count) {
  ready_.Clear();
  from.ready_.Clear();
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

}  // namespace weir
