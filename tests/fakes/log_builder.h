// Makes the batches that a cache would post, one by one, with full control over revisions, gaps and
// snapshots.
//
//   LogBuilder log;                                  // empty at revision 100
//   log.Put("ns/a", {.node = "n1"});                 // revision 101
//   log.Delete("ns/a");                              // 102
//   replica->OnBatch(log.Cut(), 1);
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cache/batch.h"
#include "cache/object.h"
#include "cache/snapshot.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir {

struct PodShape {
  std::string node = "";
  std::string labels = "";  // As JSON: `"app":"web"`.
  std::string note = "";    // Goes into the body.
};

class LogBuilder {
 public:
  static constexpr std::string_view kPrefix = R"("kind":"Pod","apiVersion":"v1",)";

  explicit LogBuilder(uint64_t revision = 100) : revision_(revision) {
    auto form = std::make_shared<TypeForm>();
    form->type.id = {"", "v1", "pods"};
    form->type.kind = "Pod";
    form->list_kind = "PodList";
    form->fields = SelectableFields::BuiltIn(form->type.id);
    form->type_prefix = kPrefix;
    form_ = form;
  }
  // Another resource than v1 pods; before anything else.
  void SetType(ResourceId id, bool namespaced) {
    auto form = std::make_shared<TypeForm>(*form_);
    form->type.id = std::move(id);
    form->type.namespaced = namespaced;
    form_ = form;
  }

  // The body after the type prefix, and the whole object as a watch shows it.
  static std::string Rest(std::string_view key, uint64_t revision, const PodShape& shape = {}) {
    const size_t slash = key.find('/');
    return fmt::format(
        R"("metadata":{{"name":"{}","namespace":"{}","uid":"u-{}","resourceVersion":"{}"{}}},)"
        R"("spec":{{"nodeName":"{}"}},"status":{{"note":"{}"}}}})",
        key.substr(slash + 1), key.substr(0, slash), key, revision,
        shape.labels.empty() ? "" : ",\"labels\":{" + shape.labels + "}", shape.node, shape.note);
  }
  static std::string Frame(std::string_view type, std::string_view key, uint64_t revision,
                           const PodShape& shape = {}) {
    return fmt::format("{{\"type\":\"{}\",\"object\":{{{}{}}}\n", type, kPrefix,
                       Rest(key, revision, shape));
  }

  ObjectRef Make(std::string_view key, uint64_t revision, const PodShape& shape = {}) {
    std::string text = "{" + std::string(kPrefix) + Rest(key, revision, shape);
    const size_t size = text.size();
    text.append(MetadataScanner::kPadding, ' ');
    return Object::Make(scanner_->Scan(std::string_view(text).substr(0, size)).value());
  }

  // Objects that are there before the log begins.
  LogBuilder& Seed(std::string_view key, uint64_t revision, const PodShape& shape = {}) {
    tree_.Put(Make(key, revision, shape));
    return *this;
  }
  LogBuilder& Put(std::string_view key, const PodShape& shape = {}) {
    return PutAt(key, revision_ + 1, shape);
  }
  LogBuilder& PutAt(std::string_view key, uint64_t revision, const PodShape& shape = {}) {
    LogEvent event;
    event.object = Make(key, revision, shape);
    event.previous = tree_.Put(event.object);
    event.type = event.previous ? EventType::kModified : EventType::kAdded;
    return Add(std::move(event), revision);
  }
  LogBuilder& Delete(std::string_view key) { return DeleteAt(key, revision_ + 1); }
  LogBuilder& DeleteAt(std::string_view key, uint64_t revision) {
    LogEvent event;
    event.previous = tree_.Remove(key);
    event.object = Object::WithRevision(*event.previous, Revision{revision});
    event.type = EventType::kDeleted;
    return Add(std::move(event), revision);
  }
  LogBuilder& Reach(uint64_t revision) {
    revision_ = revision;
    return *this;
  }

  // Closes the batch. With a gap it counts as a resynchronisation's.
  BatchRef Cut(bool keep_snapshot = true, std::optional<Revision> gap_after = std::nullopt) {
    auto* batch = new Batch;
    batch->first_sequence = next_sequence_;
    next_sequence_ += open_.size();
    batch->events = std::exchange(open_, {});
    batch->revision = Revision{revision_};
    batch->gap_after = gap_after;
    batch->goes_on = !gap_after && !batch->events.empty() && last_cut_ &&
                     batch->events.front().revision == *last_cut_;
    last_cut_ = batch->revision;
    batch->published = now;
    if (keep_snapshot) batch->snapshot = snapshot();
    return BatchRef::Adopt(batch);
  }
  // What OnReset() gets first: one batch without events.
  std::deque<BatchRef> Begin() { return {Cut()}; }

  Snapshot snapshot() const { return {tree_, Revision{revision_}, form_}; }
  uint64_t next_sequence() const { return next_sequence_; }
  uint64_t revision() const { return revision_; }

  TimePoint now = TimePoint(std::chrono::hours(1));

 private:
  LogBuilder& Add(LogEvent event, uint64_t revision) {
    event.revision = Revision{revision};
    revision_ = revision;
    open_.push_back(std::move(event));
    return *this;
  }

  std::unique_ptr<MetadataScanner> scanner_ = std::make_unique<MetadataScanner>(
      Encoding::kJson, SelectableFields::BuiltIn({"", "v1", "pods"}));
  std::shared_ptr<const TypeForm> form_;
  ObjectTree tree_;
  uint64_t revision_;
  std::optional<Revision> last_cut_;  // Of the last batch.
  uint64_t next_sequence_ = 1;
  std::vector<LogEvent> open_;
};

}  // namespace weir
