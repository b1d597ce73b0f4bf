#include "cache/list_cursor.h"

#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "fmt/format.h"
#include "protocol/k8s/continue_token.h"
#include "protocol/k8s/uncached.h"

namespace weir {
namespace {

std::string_view NamespaceOf(const Filter& filter) {
  const std::string_view space = filter.namespace_name();
  return space.empty() ? filter.fields().RequiredValue("metadata.namespace").value_or("") : space;
}

}  // namespace

ListCursor::ListCursor(Snapshot snapshot, ListSpec spec)
    : snapshot_(std::move(snapshot)),
      spec_(std::move(spec)),
      framing_(snapshot_.form, spec_.metadata_only) {
  SetRange();
  const ObjectTree::Sums in_range = snapshot_.tree.SumsBetween(start_, end_);
  objects_in_range_ = in_range.objects;
  cursor_ = snapshot_.tree.LowerBound(start_);
  const bool scope_only = spec_.filter.scope_only();
  const bool paged = spec_.limit > 0 && in_range.objects > static_cast<uint64_t>(spec_.limit);
  finds_ = paged || spec_.candidates || (framing_.needs_sizes() && !scope_only);
  if (finds_) return;
  const uint64_t items_bytes = framing_.ItemBytes(in_range);
  WriteFrame(items_bytes);
  if (!scope_only) return;
  if (in_range.objects == 0) {
    total_bytes_ = head_.size() + empty_tail_.size();
    return;
  }
  const uint64_t separators = (in_range.objects - 1) * framing_.separator_bytes();
  total_bytes_ = head_.size() + framing_.opener_bytes() + items_bytes + separators + tail_.size();
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

bool ListCursor::FindAmongCandidates() {
  const std::vector<ObjectRef>& candidates = *spec_.candidates;
  for (size_t scanned = 0; next_candidate_ < candidates.size(); ++next_candidate_) {
    if (scanned++ == kScan) return false;
    const Object& object = *candidates[next_candidate_];
    if (!spec_.filter.Matches(object)) continue;
    found_.push_back(&object);
    found_bytes_ += framing_.ItemBytes(object);
  }
  WriteFrame(found_bytes_);
  return true;
}

bool ListCursor::Find() {
  if (spec_.candidates) return FindAmongCandidates();
  const uint64_t limit =
      spec_.limit > 0 ? static_cast<uint64_t>(spec_.limit) : std::numeric_limits<uint64_t>::max();
  const bool scope_only = spec_.filter.scope_only();
  size_t scanned = 0;
  for (; InRange() && found_.size() < limit; cursor_.Next()) {
    if (scanned++ == kScan) return false;
    cursor_.Prefetch();
    if (!scope_only && !spec_.filter.Matches(*cursor_)) continue;
    found_.push_back(&*cursor_);
    found_bytes_ += framing_.ItemBytes(*cursor_);
  }
  EndFind(limit);
  return true;
}

// api-semantics 2.5: without selectors what remains is counted; with selectors a token follows
// wherever the scan stopped before the end, whether or not more objects match.
void ListCursor::EndFind(uint64_t limit) {
  if (found_.size() == limit && InRange()) {
    const Object& last = *found_.back();
    continue_token_ = ContinueToken::Encode(static_cast<int64_t>(spec_.revision.value),
                                            spec_.key_is_namespaced ? last.key() : last.name(),
                                            !IsUncachedUpstream(snapshot_.form->type.id));
    if (spec_.filter.scope_only()) remaining_ = objects_in_range_ - limit;
  }
  WriteFrame(found_bytes_);
}

void ListCursor::WriteFrame(uint64_t items_bytes) {
  const Framing::ListMeta meta{
      .revision = spec_.revision, .continue_token = continue_token_, .remaining = remaining_};
  head_ = framing_.ListHead(meta, items_bytes);
  tail_ = framing_.ListTail(meta, /*empty=*/false);
  empty_tail_ = framing_.ListTail(meta, /*empty=*/true);
  ready_ = true;
}

const Object* ListCursor::NextItem(size_t& scanned, bool& yield) {
  if (finds_) return found_index_ < found_.size() ? found_[found_index_++] : nullptr;
  const bool all_match = spec_.filter.scope_only();
  while (InRange()) {
    if (scanned++ >= kScan) {
      yield = true;
      return nullptr;
    }
    cursor_.Prefetch();
    const Object& object = *cursor_;
    cursor_.Next();
    if (all_match || spec_.filter.Matches(object)) return &object;
  }
  return nullptr;
}

std::optional<ObjectTree::Leaf> ListCursor::NextLeaf() const {
  if (!uses_blocks_ || items_ == 0 || !InRange()) return std::nullopt;
  const auto leaf = cursor_.WholeLeaf();
  const bool whole = leaf && (end_.empty() || (*leaf)[leaf->size() - 1].key() < end_);
  return whole ? leaf : std::nullopt;
}

ListCursor::Step ListCursor::Next(size_t max_bytes, Gather& gather) {
  if (done_) return Step::kEnd;
  if (!ready_ && !Find()) return Step::kYield;
  if (const auto leaf = NextLeaf()) {
    blocks_ = &LeafItems(*leaf, framing_, spare_);
    items_ += leaf->size();
    cursor_.SkipLeaf();
    return Step::kBlocks;
  }
  const size_t before = gather.bytes();
  if (!std::exchange(head_written_, true)) gather.Add(head_);
  size_t scanned = 0;
  while (gather.bytes() - before < max_bytes || gather.bytes() == before) {
    if (gather.bytes() > before && NextLeaf()) break;
    bool yield = false;
    const Object* const object = NextItem(scanned, yield);
    if (yield) break;
    if (object == nullptr) {
      gather.Add(items_ == 0 ? empty_tail_ : tail_);
      done_ = true;
      break;
    }
    framing_.AddItem(*object, items_ == 0, gather);
    ++items_;
  }
  return gather.bytes() == before ? Step::kYield : Step::kPieces;
}

}  // namespace weir
