#include "cache/view.h"

#include <cstring>
#include <limits>
#include <new>

namespace weir {
namespace {

bool SameFilter(const Filter& a, const Filter& b) {
  return a.namespace_name() == b.namespace_name() && a.labels() == b.labels() &&
         a.fields() == b.fields();
}

bool FitsBehind(std::string_view part) {
  return part.size() <= std::numeric_limits<uint16_t>::max();
}

}  // namespace

View* View::Make(const Filter& filter, const IndexKey& key, Form form) {
  const bool by_name = filter.name_only() && FitsBehind(key.first) && FitsBehind(key.second);
  const size_t text = by_name ? key.first.size() + key.second.size() : 0;
  View* const view = ::new (::operator new(sizeof(View) + text)) View(form);
  if (!by_name) {
    view->filtered_ = std::make_unique<Filtered>(Filtered{filter, {}});
    return view;
  }
  view->first_length_ = static_cast<uint16_t>(key.first.size());
  view->second_length_ = static_cast<uint16_t>(key.second.size());
  std::memcpy(view->text(), key.first.data(), key.first.size());
  if (!key.second.empty())
    std::memcpy(view->text() + key.first.size(), key.second.data(), key.second.size());
  return view;
}

IndexKey View::key() const {
  if (filtered_) return filtered_->key;
  const auto kind = second_length_ == 0 ? IndexKey::Kind::kName : IndexKey::Kind::kObject;
  return {kind, text(0, first_length_), text(first_length_, second_length_)};
}

bool View::IsOf(const Filter& filter, const IndexKey& of, Form how) const {
  if (form != how) return false;
  return filtered_ ? SameFilter(filtered_->filter, filter) : filter.name_only() && key() == of;
}

bool View::Matches(const Object& object) const {
  if (filtered_) return filtered_->filter.Matches(object);
  const IndexKey of = key();
  if (of.kind == IndexKey::Kind::kName) return object.name() == of.first;
  return object.name() == of.second && object.namespace_() == of.first;
}

}  // namespace weir
