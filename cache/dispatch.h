// Finds the views that may want an event without asking the others.
//
// Each view hangs in exactly one bucket of one hash table, under the most selective property that
// its filter requires. An event looks up the properties of its object, and of the object before it
// where they differ:
//
//   Pod ns1/web-0 on node-7, app=web ─▶ {ns1,web-0} {web-0} {spec.nodeName,node-7}
//                                         {app,web} {ns1} rest
//
// so no view is offered an event twice, and kinds of buckets that nobody uses cost nothing.
// Thread-affine. Owns the views.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "cache/batch.h"
#include "cache/view.h"

namespace weir {

class Dispatch {
 public:
  Dispatch() = default;
  ~Dispatch();
  Dispatch(const Dispatch&) = delete;
  Dispatch& operator=(const Dispatch&) = delete;

  // The view of this filter and form, made if there is none. Stays where it is until Remove().
  // O(views with the same index key).
  View& Join(const Filter& filter, Form form);
  void Remove(View& view);

  // Calls `offer(View&)` for each view that may match the event's object, or matched the one before
  // it: at most once each. `offer` must not change this.
  template <typename Offer>
  void ForEachCandidate(const LogEvent& event, Offer&& offer) const;
  template <typename Visit>
  void ForEach(Visit&& visit) const;

  size_t views() const { return views_; }

  // Distinct label keys that are looked up per event; views with further ones fall back to their
  // namespace.
  static constexpr size_t kMaxLabelKeys = 16;

 private:
  using Kind = IndexKey::Kind;

  struct Hash {
    using is_transparent = void;
    size_t operator()(const IndexKey& key) const;
    size_t operator()(const View* view) const { return (*this)(view->key()); }
  };
  struct Equal {
    using is_transparent = void;
    static IndexKey Key(const IndexKey& key) { return key; }
    static IndexKey Key(const View* view) { return view->key(); }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Key(a) == Key(b);
    }
  };
  struct LabelKey {
    std::string key;
    size_t views = 0;
  };
  struct FieldKey {
    std::shared_ptr<const SelectableFields> fields;
    size_t field;
    size_t views = 0;
    std::string_view label() const { return (*fields)[field].label; }
  };

  IndexKey ChooseKey(const Filter& filter) const;
  bool LabelKeyFits(std::string_view key) const;
  void CountKey(const View& view, bool added);
  void CountLabelKey(std::string_view key, bool added);
  void CountFieldKey(const Filter& filter, std::string_view label, bool added);

  size_t& count(Kind kind) { return counts_[static_cast<size_t>(kind)]; }
  bool used(Kind kind) const { return counts_[static_cast<size_t>(kind)] > 0; }
  template <typename Offer>
  void OfferBucket(const IndexKey& key, Offer& offer) const;
  template <typename Offer>
  void OfferByField(const LogEvent& event, Offer& offer) const;
  template <typename Offer>
  void OfferByLabel(const LogEvent& event, Offer& offer) const;

  absl::flat_hash_set<View*, Hash, Equal> buckets_;  // The first view of each.
  std::array<size_t, IndexKey::kKinds> counts_{};    // Views by kind.
  std::vector<LabelKey> label_keys_;
  std::vector<FieldKey> field_keys_;  // At most one for each selectable field.
  size_t views_ = 0;
};

template <typename Offer>
void Dispatch::ForEachCandidate(const LogEvent& event, Offer&& offer) const {
  const Object& object = *event.object;  // Namespace and name never change.
  if (used(Kind::kRest)) OfferBucket({}, offer);
  if (used(Kind::kName)) OfferBucket({Kind::kName, object.name(), {}}, offer);
  if (used(Kind::kField)) OfferByField(event, offer);
  if (used(Kind::kLabel)) OfferByLabel(event, offer);
  const std::string_view ns = object.namespace_();
  if (ns.empty()) return;
  if (used(Kind::kNamespace)) OfferBucket({Kind::kNamespace, ns, {}}, offer);
  if (used(Kind::kObject)) OfferBucket({Kind::kObject, ns, object.name()}, offer);
}

template <typename Visit>
void Dispatch::ForEach(Visit&& visit) const {
  for (View* const first : buckets_) {
    for (View* view = first; view != nullptr; view = view->next_) visit(*view);
  }
}

template <typename Offer>
void Dispatch::OfferBucket(const IndexKey& key, Offer& offer) const {
  const auto it = buckets_.find(key);
  if (it == buckets_.end()) return;
  for (View* view = *it; view != nullptr; view = view->next_) offer(*view);
}

template <typename Offer>
void Dispatch::OfferByField(const LogEvent& event, Offer& offer) const {
  std::string scratch, scratch_before;
  for (const FieldKey& key : field_keys_) {
    const std::string_view value = Filter::Text(*event.object, *key.fields, key.field, scratch);
    OfferBucket({Kind::kField, key.label(), value}, offer);
    if (!event.previous) continue;
    const std::string_view before =
        Filter::Text(*event.previous, *key.fields, key.field, scratch_before);
    if (before != value) OfferBucket({Kind::kField, key.label(), before}, offer);
  }
}

template <typename Offer>
void Dispatch::OfferByLabel(const LogEvent& event, Offer& offer) const {
  for (const LabelKey& label : label_keys_) {
    const auto value = event.object->labels().Find(label.key);
    if (value) OfferBucket({Kind::kLabel, label.key, *value}, offer);
    if (!event.previous) continue;
    const auto before = event.previous->labels().Find(label.key);
    if (before && before != value) OfferBucket({Kind::kLabel, label.key, *before}, offer);
  }
}

}  // namespace weir
