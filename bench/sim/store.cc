#include "bench/sim/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/sim/watch.h"
#include "protocol/k8s/watch_frame.h"

namespace weir::sim {
namespace {

constexpr std::string_view kTopKeys[] = {"kind", "apiVersion", "metadata"};
constexpr std::string_view kBodyKeys[] = {"kind", "apiVersion", "metadata", "spec", "status"};
constexpr std::string_view kMetadataKeys[] = {"name",
                                              "generateName",
                                              "namespace",
                                              "uid",
                                              "resourceVersion",
                                              "generation",
                                              "creationTimestamp",
                                              "deletionTimestamp",
                                              "deletionGracePeriodSeconds",
                                              "labels",
                                              "annotations",
                                              "ownerReferences",
                                              "finalizers",
                                              "managedFields"};

constexpr size_t kKeptFrames = 512;

std::shared_ptr<const TypeForm> MakeForm(const TypeSpec& spec) {
  auto form = std::make_shared<TypeForm>();
  form->type = {spec.id, spec.kind, spec.namespaced, true, true, true};
  form->list_kind = spec.list_kind();
  form->fields = SelectableFields::BuiltIn(spec.id);
  form->typed_items = spec.custom;
  if (!spec.custom) {
    form->type_prefix =
        fmt::format(R"("kind":"{}","apiVersion":"{}",)", spec.kind, spec.id.ApiVersion());
  }
  return form;
}

void SortMap(JsonObject& parent, std::string_view key) {
  if (Json* value = parent.if_contains({key.data(), key.size()})) SortKeys(*value);
}

}  // namespace

const std::string& Change::Frame(Form form) const {
  std::string& frame = frames_[static_cast<size_t>(form)];
  if (!frame.empty()) return frame;
  switch (form) {
    case Form::kAdded:
      frame = EventFrame(kAddedPrefix, *form_, *event_.object);
      break;
    case Form::kModified:
      frame = EventFrame(kModifiedPrefix, *form_, *event_.object);
      break;
    case Form::kDeleted:
      frame = EventFrame(kDeletedPrefix, *form_, *event_.object);
      break;
    case Form::kLeft: {
      const ObjectRef left = Object::WithRevision(*event_.previous, event_.revision);
      frame = EventFrame(kDeletedPrefix, *form_, *left);
      break;
    }
  }
  return frame;
}

Collection::Collection(TypeSpec spec, size_t history)
    : spec_(std::move(spec)), history_(std::max<size_t>(history, 1)), form_(MakeForm(spec_)) {
  Forget();
}

void Collection::Advance(Revision revision) {
  cache_revision_ = std::max(cache_revision_, revision);
}

std::optional<Snapshot> Collection::At(Revision revision) const {
  if (revision < oldest_) return {};
  const auto after =
      std::upper_bound(states_.begin(), states_.end(), revision,
                       [](Revision wanted, const auto& state) { return wanted < state.first; });
  if (after == states_.begin()) return {};
  return Snapshot{std::prev(after)->second, revision, form_};
}

std::optional<uint64_t> Collection::SequenceAfter(Revision revision) const {
  if (revision < oldest_) return {};
  const auto after = std::upper_bound(
      changes_.begin(), changes_.end(), revision,
      [](Revision wanted, const Change& change) { return wanted < change.event().revision; });
  return first_sequence_ + static_cast<uint64_t>(after - changes_.begin());
}

void Collection::Commit(LogEvent event) {
  const Revision revision = event.revision;
  cache_revision_ = revision;
  changes_.emplace_back(std::move(event), form_);
  states_.emplace_back(revision, tree_);
  while (changes_.size() > history_) {
    changes_.pop_front();
    ++first_sequence_;
    states_.pop_front();
    // As kube-apiserver counts: that of the oldest event kept, minus one.
    oldest_ = {changes_.front().event().revision.value - 1};
  }
  // Watchers are rarely further behind; those that are make their frames anew.
  if (changes_.size() > kKeptFrames) changes_[changes_.size() - 1 - kKeptFrames].DropFrames();
  for (Watch* watch : watches_) watch->OnChange(end_sequence() - 1);
}

void Collection::Forget() {
  first_sequence_ += changes_.size();
  changes_.clear();
  states_.clear();
  oldest_ = cache_revision_;
  states_.emplace_back(cache_revision_, tree_);
}

bool Collection::Rewind(Revision to) {
  const auto state = At(to);
  if (!state) return false;
  tree_ = state->tree;
  cache_revision_ = to;
  Forget();
  return true;
}

Store::Store(size_t history) : history_(history) {}

std::shared_ptr<Collection> Store::Find(const ResourceId& id) {
  const auto found = collections_.find(id);
  return found == collections_.end() ? nullptr : found->second;
}

std::shared_ptr<Collection> Store::Find(std::string_view group, std::string_view version,
                                        std::string_view resource) {
  return Find({std::string(group), std::string(version), std::string(resource)});
}

Collection& Store::Add(TypeSpec spec) {
  const ResourceId id = spec.id;
  auto& slot = collections_[id];
  if (slot == nullptr) {
    slot = std::make_shared<Collection>(std::move(spec), history_);
    slot->Advance(revision_);
    slot->Forget();
  }
  return *slot;
}

void Store::Remove(const ResourceId& id) {
  const std::shared_ptr<Collection> collection = Find(id);
  if (collection == nullptr) return;
  while (collection->tree_.Begin().Valid()) {
    Delete(*collection, std::string(collection->tree_.Begin()->key()));
  }
  for (Watch* watch : collection->watches_) watch->End(Watch::Ending::kClean);
  collections_.erase(id);
}

StatusOr<ObjectRef> Store::MakeObject(const Collection& collection, std::string_view text) {
  scratch_.assign(text);
  scratch_.append(MetadataScanner::kPadding, ' ');
  const MetadataScanner scanner(Encoding::kJson, collection.form()->fields);
  WEIR_ASSIGN_OR_RETURN(const ScannedObject scanned,
                        scanner.Scan(std::string_view(scratch_).substr(0, text.size())));
  return Object::Make(scanned);
}

StatusOr<ObjectRef> Store::Put(Collection& collection, std::string_view text) {
  WEIR_ASSIGN_OR_RETURN(ObjectRef object, MakeObject(collection, text));
  if (object->revision().value != next_revision()) {
    return Internal("the object does not carry the next revision");
  }
  revision_ = object->revision();
  ObjectRef previous = collection.tree_.Put(object);
  const EventType type = previous ? EventType::kModified : EventType::kAdded;
  collection.Commit({object->revision(), type, object, std::move(previous)});
  return object;
}

StatusOr<ObjectRef> Store::PutJson(Collection& collection, Json object) {
  JsonObject& body = object.get_object();
  body["kind"] = collection.spec().kind;
  body["apiVersion"] = collection.spec().id.ApiVersion();
  ObjectAt(body, "metadata")["resourceVersion"] = std::to_string(next_revision());
  OrderObject(collection.spec(), body);
  return Put(collection, ToText(object));
}

ObjectRef Store::Delete(Collection& collection, std::string_view key) {
  ObjectRef previous = collection.tree_.Remove(key);
  if (!previous) return {};
  revision_.value += 1;
  ObjectRef last = Object::WithRevision(*previous, revision_);
  collection.Commit({revision_, EventType::kDeleted, last, std::move(previous)});
  return last;
}

void Store::Compact() {
  for (auto& [id, collection] : collections_) {
    collection->Advance(revision_);
    collection->Forget();
  }
}

Status Store::Rewind(Revision to) {
  if (to >= revision_) return InvalidArgument("the target is not older than the current revision");
  for (auto& [id, collection] : collections_) {
    if (to < collection->oldest_) {
      return FailedPrecondition(fmt::format("the history of {} reaches back to {} only",
                                            id.ToString(), collection->oldest_.value));
    }
  }
  for (auto& [id, collection] : collections_) collection->Rewind(to);
  revision_ = to;
  return OkStatus();
}

std::string WholeObject(const Collection& collection, const Object& object) {
  return fmt::format("{{{}{}", collection.form()->type_prefix, object.rest());
}

std::string EventFrame(std::string_view prefix, const TypeForm& form, const Object& object) {
  std::string frame;
  frame.reserve(prefix.size() + form.type_prefix.size() + object.rest().size() + 2);
  frame += prefix;
  frame += form.type_prefix;
  frame += object.rest();
  frame += kEventSuffix;
  return frame;
}

void OrderObject(const TypeSpec& spec, JsonObject& object) {
  if (spec.custom) {
    Json whole(std::move(object));
    SortKeys(whole);
    object = std::move(whole.get_object());
    return;
  }
  // ConfigMaps, Secrets and their like have no spec, and their keys follow metadata as they come.
  if (object.contains("spec")) {
    OrderKeys(object, kBodyKeys);
  } else {
    OrderKeys(object, kTopKeys);
  }
  JsonObject& metadata = ObjectAt(object, "metadata");
  OrderKeys(metadata, kMetadataKeys);
  SortMap(metadata, "labels");
  SortMap(metadata, "annotations");
}

}  // namespace weir::sim
