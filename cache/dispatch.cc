#include "cache/dispatch.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace weir {
namespace {

std::string_view Required(const Filter& filter, std::string_view field) {
  return filter.fields().RequiredValue(field).value_or(std::string_view());
}

}  // namespace

size_t Dispatch::Hash::operator()(const IndexKey& key) const {
  return absl::HashOf(key.kind, absl::string_view(key.first.data(), key.first.size()),
                      absl::string_view(key.second.data(), key.second.size()));
}

Dispatch::~Dispatch() {
  for (View* view : buckets_) {
    while (view != nullptr) delete std::exchange(view, view->next_);
  }
}

View& Dispatch::Join(const Filter& filter, Form form) {
  const IndexKey key = ChooseKey(filter);
  const auto bucket = buckets_.find(key);
  if (bucket != buckets_.end()) {
    for (View* view = *bucket; view != nullptr; view = view->next_) {
      if (view->IsOf(filter, key, form)) return *view;
    }
  }
  View* const view = View::Make(filter, key, form);
  // Again: it must point into the view's own filter.
  if (view->filtered_) view->filtered_->key = ChooseKey(view->filtered_->filter);
  if (bucket == buckets_.end()) {
    buckets_.insert(view);
  } else {
    View* const first = *bucket;
    view->previous_ = first;
    view->next_ = first->next_;
    if (first->next_ != nullptr) first->next_->previous_ = view;
    first->next_ = view;
  }
  ++views_;
  CountKey(*view, true);
  return *view;
}

void Dispatch::Remove(View& view) {
  if (view.previous_ == nullptr) {
    buckets_.erase(&view);
    if (view.next_ != nullptr) buckets_.insert(view.next_);
  } else {
    view.previous_->next_ = view.next_;
  }
  if (view.next_ != nullptr) view.next_->previous_ = view.previous_;
  --views_;
  CountKey(view, false);
  delete &view;
}

IndexKey Dispatch::ChooseKey(const Filter& filter) const {
  std::string_view ns = filter.namespace_name();
  if (ns.empty()) ns = Required(filter, "metadata.namespace");
  const std::string_view name = Required(filter, "metadata.name");
  if (!name.empty() && !ns.empty()) return {Kind::kObject, ns, name};
  if (!name.empty()) return {Kind::kName, name, {}};
  if (const auto required = filter.required_field()) {
    return {Kind::kField, (*filter.selectable())[required->field].label, required->value};
  }
  for (const LabelSelector::Requirement& r : filter.labels().requirements()) {
    const bool equality = r.op == LabelSelector::Operator::kIn && r.values.size() == 1;
    if (equality && LabelKeyFits(r.key)) return {Kind::kLabel, r.key, r.values[0]};
  }
  if (!ns.empty()) return {Kind::kNamespace, ns, {}};
  return {};
}

bool Dispatch::LabelKeyFits(std::string_view key) const {
  return label_keys_.size() < kMaxLabelKeys ||
         std::any_of(
             label_keys_.begin(), label_keys_.end(),
             [&](const LabelKey& label) { return label.key == key; });
}

void Dispatch::CountKey(const View& view, bool added) {
  const IndexKey key = view.key();
  added ? ++count(key.kind) : --count(key.kind);
  if (key.kind == Kind::kLabel) CountLabelKey(key.first, added);
  if (key.kind == Kind::kField) CountFieldKey(view.filtered_->filter, key.first, added);
}

void Dispatch::CountLabelKey(std::string_view key, bool added) {
  auto it = std::find_if(label_keys_.begin(), label_keys_.end(),
                         [&](const LabelKey& label) { return label.key == key; });
  if (added) {
    if (it == label_keys_.end()) {
      label_keys_.push_back({std::string(key), 0});
      it = label_keys_.end() - 1;
    }
    ++it->views;
  } else if (--it->views == 0) {
    label_keys_.erase(it);
  }
}

void Dispatch::CountFieldKey(const Filter& filter, std::string_view label, bool added) {
  const size_t field = filter.required_field()->field;
  const auto& fields = filter.selectable();
  auto it = std::find_if(field_keys_.begin(), field_keys_.end(),
                         [&](const FieldKey& key) { return key.label() == label; });
  if (added) {
    if (it == field_keys_.end()) {
      field_keys_.push_back({fields, field, 0});
      it = field_keys_.end() - 1;
    }
    ++it->views;
  } else if (--it->views == 0) {
    field_keys_.erase(it);
  }
}

}  // namespace weir
