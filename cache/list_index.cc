#include "cache/list_index.h"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

auto PlaceOf(std::vector<ObjectRef>& objects, std::string_view key) {
  return std::lower_bound(
      objects.begin(), objects.end(), key,
      [](const ObjectRef& object, std::string_view wanted) { return object->key() < wanted; });
}

}  // namespace

ListIndex::ListIndex(IndexedProperty property, std::shared_ptr<const SelectableFields> fields)
    : property_(std::move(property)),
      fields_(std::move(fields)),
      field_(property_.is_label ? std::nullopt : fields_->Find(property_.name)) {}

std::optional<std::string_view> ListIndex::Required(const Filter& filter) const {
  if (!property_.is_label) {
    const auto required = filter.required_field();
    if (!field_ || !required || required->field != *field_) return std::nullopt;
    return required->value;
  }
  for (const LabelSelector::Requirement& requirement : filter.labels().requirements()) {
    if (requirement.key == property_.name && requirement.op == LabelSelector::Operator::kIn &&
        requirement.values.size() == 1) {
      return requirement.values.front();
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> ListIndex::ValueOf(const Object& object,
                                                   std::string& scratch) const {
  if (property_.is_label) return object.labels().Find(property_.name);
  if (!field_) return std::nullopt;
  return Filter::Text(object, *fields_, *field_, scratch);
}

void ListIndex::Build(const ObjectTree& tree) {
  Drop();
  built_ = true;
  std::string scratch;
  for (ObjectTree::Cursor cursor = tree.Begin(); cursor.Valid(); cursor.Next()) {
    cursor.Prefetch();
    if (const auto value = ValueOf(*cursor, scratch)) {
      by_value_[std::string(*value)].push_back(ObjectRef::Share(&*cursor));
      ++objects_;
    }
  }
}

void ListIndex::Apply(const Batch& batch) {
  // A resynchronisation may also have replaced objects without an event.
  const bool silent = batch.gap_after || (batch.events.empty() && batch.bytes > 0);
  if (silent) Drop();
  if (!built_) return;
  for (const LogEvent& event : batch.events) {
    if (event.previous) Remove(*event.previous);
    if (event.type == EventType::kDeleted) {
      Remove(*event.object);
    } else {
      Put(event.object);
    }
  }
}

void ListIndex::Put(const ObjectRef& object) {
  std::string scratch;
  const auto value = ValueOf(*object, scratch);
  if (!value) return;
  std::vector<ObjectRef>& objects = by_value_[std::string(*value)];
  const auto place = PlaceOf(objects, object->key());
  if (place != objects.end() && (*place)->key() == object->key()) {
    *place = object;
  } else {
    objects.insert(place, object);
    ++objects_;
  }
}

void ListIndex::Remove(const Object& object) {
  std::string scratch;
  const auto value = ValueOf(object, scratch);
  if (!value) return;
  const auto found = by_value_.find(*value);
  if (found == by_value_.end()) return;
  std::vector<ObjectRef>& objects = found->second;
  const auto place = PlaceOf(objects, object.key());
  if (place == objects.end() || (*place)->key() != object.key()) return;
  objects.erase(place);
  --objects_;
  if (objects.empty()) by_value_.erase(found);
}

void ListIndex::Drop() {
  built_ = false;
  by_value_.clear();
  objects_ = 0;
}

const std::vector<ObjectRef>* ListIndex::Find(std::string_view value) const {
  const auto found = by_value_.find(value);
  return found == by_value_.end() ? nullptr : &found->second;
}

}  // namespace weir
