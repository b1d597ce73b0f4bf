// What was decided, for a while: a bounded table with an end of life per entry and a budget per
// group.
//
//   all entries, newest use first:   e7 ─ e3 ─ e9 ─ e1      the last goes when the table is full
//   per group (a user), likewise:    alice: e7 ─ e9   bob: e3 ─ e1   … when the group is full
//
// So no user can push out everybody else's verdicts. Thread-affine or externally locked.
#pragma once

#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "protocol/base/executor.h"
#include "proxy/auth/keyed_hash.h"

namespace weir {

template <typename Value>
class VerdictTable {
 public:
  VerdictTable(size_t max_entries, size_t max_per_group)
      : max_entries_(max_entries), max_per_group_(max_per_group) {}
  VerdictTable(const VerdictTable&) = delete;
  VerdictTable& operator=(const VerdictTable&) = delete;

  // The value that is alive at `now`, or null; valid until the next call. The whole key is
  // compared. O(1).
  const Value* Find(std::string_view key, TimePoint now) {
    const auto it = by_key_.find(key);
    if (it == by_key_.end()) return nullptr;
    const NodeIt node = it->second;
    if (node->expires <= now) {
      Erase(node);
      return nullptr;
    }
    nodes_.splice(nodes_.begin(), nodes_, node);
    std::list<NodeIt>& order = node->group->second;
    order.splice(order.begin(), order, node->in_group);
    return &node->value;
  }

  // Replaces what `key` had. Evicts the longest unused of the group, or of all, where a bound is
  // reached.
  void Put(std::string key, std::string_view group, Value value, TimePoint expires) {
    if (max_entries_ == 0 || max_per_group_ == 0) return;
    if (const auto it = by_key_.find(key); it != by_key_.end()) Erase(it->second);
    if (const auto it = groups_.find(group);
        it != groups_.end() && it->second->second.size() >= max_per_group_) {
      Erase(it->second->second.back());
    }
    if (nodes_.size() >= max_entries_) Erase(std::prev(nodes_.end()));
    Insert(std::move(key), group, std::move(value), expires);
  }

  size_t size() const { return nodes_.size(); }

 private:
  struct Node;
  using NodeIt = typename std::list<Node>::iterator;
  using Group = std::pair<std::string, std::list<NodeIt>>;  // Name, entries by use.
  using GroupIt = typename std::list<Group>::iterator;
  struct Node {
    std::string key;
    Value value;
    TimePoint expires;
    GroupIt group;
    typename std::list<NodeIt>::iterator in_group;
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };
  template <typename Target>
  using Index =
      absl::flat_hash_map<std::string_view, Target, KeyedHash, Equal>;  // Keys lie in the nodes.

  void Insert(std::string key, std::string_view group, Value value, TimePoint expires) {
    const GroupIt owner = FindOrMakeGroup(group);
    nodes_.push_front(Node{std::move(key), std::move(value), expires, owner, {}});
    const NodeIt node = nodes_.begin();
    owner->second.push_front(node);
    node->in_group = owner->second.begin();
    by_key_.emplace(node->key, node);
  }

  GroupIt FindOrMakeGroup(std::string_view name) {
    if (const auto it = groups_.find(name); it != groups_.end()) return it->second;
    group_list_.emplace_front(std::string(name), std::list<NodeIt>());
    groups_.emplace(group_list_.front().first, group_list_.begin());
    return group_list_.begin();
  }

  void Erase(NodeIt node) {
    by_key_.erase(std::string_view(node->key));
    const GroupIt group = node->group;
    group->second.erase(node->in_group);
    if (group->second.empty()) {
      groups_.erase(std::string_view(group->first));
      group_list_.erase(group);
    }
    nodes_.erase(node);
  }

  const size_t max_entries_;
  const size_t max_per_group_;
  std::list<Node> nodes_;
  std::list<Group> group_list_;
  Index<NodeIt> by_key_;
  Index<GroupIt> groups_;
};

}  // namespace weir
