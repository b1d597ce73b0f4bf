#include "cache/list_cursor.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "protocol/k8s/continue_token.h"

namespace weir {
namespace {

// An item is one of these and its rest().
constexpr std::string_view kFirstItem = "{";
constexpr std::string_view kNextItem = ",{";

std::string_view NamespaceOf(const Filter& filter) {
  const std::string_view space = filter.namespace_name();
  return space.empty() ? filter.fields().RequiredValue("metadata.namespace").value_or("") : space;
}

}  // namespace

ListCursor::ListCursor(Snapshot snapshot, ListSpec spec)
    : snapshot_(std::move(snapshot)), spec_(std::move(spec)) {
  SetRange();
  const ObjectTree::Sums in_range = snapshot_.tree.SumsBetween(start_, end_);
  cursor_ = snapshot_.tree.LowerBound(start_);
  paged_ = spec_.limit > 0 && in_range.objects > static_cast<uint64_t>(spec_.limit);
  if (paged_) FindPage(in_range.objects);
  WriteFrame();
  if (!paged_ && spec_.filter.scope_only()) {
    const uint64_t commas = in_range.objects == 0 ? 0 : in_range.objects - 1;
    total_bytes_ = head_.size() + in_range.item_bytes + commas + tail_.size();
  }
}

void ListCursor::SetRange() {
  const Filter& filter = spec_.filter;
  if (spec_.start_key.empty()) {
    std::tie(start_, end_) = filter.KeyRange();
    const auto name = filter.fields().RequiredValue("metadata.name");
    if (!snapshot_.form->type.namespaced && name && !name->empty()) {
      start_ = *name;
      end_ = start_ + '\0';
    }
    return;
  }
  // As upstream: a continued list is not narrowed to one name, so that its pages end where
  // upstream's do.
  if (const std::string_view space = NamespaceOf(filter); !space.empty()) {
    start_ = fmt::format("{}/", space);
    end_ = fmt::format("{}0", space);
  }
  const std::string_view scope = filter.namespace_name();
  const std::string from =
      scope.empty() ? spec_.start_key : fmt::format("{}/{}", scope, spec_.start_key);
  start_ = std::max(start_, from);
}

bool ListCursor::InRange() const {
  return cursor_.Valid() && (end_.empty() || cursor_->key() < end_);
}

// api-semantics 2.5: without selectors what remains is counted; with selectors a token follows
// wherever the scan stopped before the end, whether or not more objects match.
void ListCursor::FindPage(uint64_t in_range) {
  const auto limit = static_cast<uint64_t>(spec_.limit);
  const bool scope_only = spec_.filter.scope_only();
  for (; InRange() && page_.size() < limit; cursor_.Next()) {
    cursor_.Prefetch();
    if (scope_only || spec_.filter.Matches(*cursor_)) page_.push_back(&*cursor_);
  }
  if (page_.size() < limit || !InRange()) return;
  const Object& last = *page_.back();
  continue_token_ = ContinueToken::Encode(static_cast<int64_t>(spec_.revision.value),
                                          spec_.key_is_namespaced ? last.key() : last.name());
  if (scope_only) remaining_ = in_range - limit;
}

// Everything around the items (api-semantics 2.8).
void ListCursor::WriteFrame() {
  const TypeForm& form = *snapshot_.form;
  const std::string api_version = form.type.id.ApiVersion();
  const std::string remaining =
      remaining_ == 0 ? "" : fmt::format(R"("remainingItemCount":{})", remaining_);
  if (form.typed_items) {
    head_ = fmt::format(R"({{"apiVersion":"{}","items":[)", api_version);
    tail_ =
        fmt::format(R"(],"kind":"{}","metadata":{{"continue":"{}",{}{}"resourceVersion":"{}"}}}})",
                    form.list_kind, continue_token_, remaining, remaining.empty() ? "" : ",",
                    spec_.revision.value);
    tail_ += '\n';
    return;
  }
  head_ = fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{{"resourceVersion":"{}")",
                      form.list_kind, api_version, spec_.revision.value);
  if (!continue_token_.empty()) head_ += fmt::format(R"(,"continue":"{}")", continue_token_);
  if (!remaining.empty()) head_ += "," + remaining;
  head_ += R"(},"items":[)";
  tail_ = "]}\n";
}

const Object* ListCursor::NextItem() {
  if (paged_) return page_index_ < page_.size() ? page_[page_index_++] : nullptr;
  const bool all_match = spec_.filter.scope_only();
  while (InRange()) {
    cursor_.Prefetch();
    const Object& object = *cursor_;
    cursor_.Next();
    if (all_match || spec_.filter.Matches(object)) return &object;
  }
  return nullptr;
}

size_t ListCursor::Next(size_t max_bytes, std::vector<std::string_view>& pieces) {
  size_t bytes = 0;
  const auto add = [&](std::string_view piece) {
    pieces.push_back(piece);
    bytes += piece.size();
  };
  if (!std::exchange(head_written_, true)) add(head_);
  while (!done_ && (bytes == 0 || bytes < max_bytes)) {
    const Object* const object = NextItem();
    if (object == nullptr) {
      add(tail_);
      done_ = true;
      break;
    }
    add(items_ == 0 ? kFirstItem : kNextItem);
    add(object->rest());
    ++items_;
  }
  return bytes;
}

uint64_t ListCursor::total_bytes() const { return total_bytes_; }

}  // namespace weir
