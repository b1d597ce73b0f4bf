#include "cache/cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "cache/replica.h"
#include "fmt/format.h"

namespace weir {
namespace {

size_t TotalFootprint(const ObjectTree& tree) {
  size_t bytes = 0;
  for (ObjectTree::Cursor cursor = tree.Begin(); cursor.Valid(); cursor.Next()) {
    cursor.Prefetch();
    bytes += cursor->footprint();
  }
  return bytes;
}

// What an event keeps alive once the store has moved on. The state after it is either still in the
// store or counted as the state before a later event, but for a deletion's.
size_t KeptBy(const LogEvent& event) {
  size_t bytes = sizeof(LogEvent);
  if (event.previous) bytes += event.previous->footprint();
  if (event.type == EventType::kDeleted) bytes += event.object->footprint();
  return bytes;
}

bool SameItems(const TypeForm& a, const TypeForm& b) {
  return a.typed_items == b.typed_items && a.type_prefix == b.type_prefix;
}

// Only that the revision moved on.
bool IsBookmark(const Batch& batch) {
  return batch.events.empty() && !batch.gap_after && batch.bytes == 0;
}

}  // namespace

// The replicas of one executor. Immutable, since posted tasks hold it: the cache replaces it.
struct Cache::Subscriber {
  Executor* executor;
  std::vector<std::shared_ptr<Replica>> replicas;
};

Cache::Cache(Executor& home, Limits limits) : home_(home), limits_(limits) {}

Cache::~Cache() {
  // A replica may die on its own executor only.
  for (SubscriberRef& subscriber : subscribers_) {
    Executor& executor = *subscriber->executor;
    executor.Post([last = std::move(subscriber)]() mutable { last.reset(); });
  }
}

void Cache::Reset(std::shared_ptr<const TypeForm> form, ObjectTree objects, Revision revision) {
  assert(home_.IsCurrent());
  BeginHistory(std::move(form), std::move(objects), revision);
}

void Cache::BeginHistory(std::shared_ptr<const TypeForm> form, ObjectTree objects,
                         Revision revision) {
  form_ = std::move(form);
  tree_ = std::move(objects);
  revision_ = revision;
  object_bytes_ = TotalFootprint(tree_);
  open_.clear();
  open_bytes_ = 0;
  nodes_published_ = tree_.nodes_copied();
  last_key_.clear();
  keys_at_revision_.clear();
  log_.clear();
  log_bytes_ = 0;
  snapshot_ = {tree_, revision_, form_};

  // An empty first batch: history begins at its revision.
  auto* const first = new Batch();
  first->first_sequence = next_sequence_;
  first->revision = revision_;
  first->snapshot = snapshot_;
  first->published = home_.Now();
  log_.push_back(BatchRef::Adopt(first));
  PostReset();
}

bool Cache::ChangedAtRevision(const Object& object) const {
  const std::string_view key = object.key();
  if (last_key_ == key || keys_at_revision_.contains(key)) return true;
  const ObjectRef known = tree_.Find(key);
  return known && known->revision() >= object.revision();
}

void Cache::NoteChange(const Object& object) {
  if (object.revision() > revision_) {
    keys_at_revision_.clear();
  } else {
    if (!last_key_.empty()) keys_at_revision_.insert(last_key_);
    keys_at_revision_.emplace(object.key());
  }
  last_key_ = object.key();
  revision_ = object.revision();
}

Status Cache::Apply(bool deleted, ObjectRef object) {
  assert(home_.IsCurrent());
  const Revision revision = object->revision();
  if (form_ == nullptr) return FailedPrecondition("event: before the first LIST");
  if (revision < revision_ || (revision == revision_ && ChangedAtRevision(*object))) {
    return FailedPrecondition(
        fmt::format("event: revision {} after {}", revision.value, revision_.value));
  }
  NoteChange(*object);
  last_event_ = home_.Now();

  ObjectRef previous = deleted ? tree_.Remove(object->key()) : tree_.Put(object);
  if (deleted && !previous) return OkStatus();
  if (!deleted) object_bytes_ += object->footprint();
  if (previous) object_bytes_ -= previous->footprint();
  const EventType type = deleted    ? EventType::kDeleted
                         : previous ? EventType::kModified
                                    : EventType::kAdded;
  open_bytes_ +=
      KeptBy(open_.emplace_back(LogEvent{revision, type, std::move(object), std::move(previous)}));
  return OkStatus();
}

Status Cache::Advance(Revision revision) {
  assert(home_.IsCurrent());
  if (form_ == nullptr || revision < revision_) {
    return FailedPrecondition(
        fmt::format("bookmark: revision {} after {}", revision.value, revision_.value));
  }
  if (revision == revision_) return OkStatus();
  revision_ = revision;
  last_key_.clear();
  keys_at_revision_.clear();
  return OkStatus();
}

void Cache::Publish() {
  assert(home_.IsCurrent());
  if (form_ == nullptr || (open_.empty() && revision_ == snapshot_.revision)) return;
  CloseBatch(std::nullopt);
}

void Cache::Discard() {
  assert(home_.IsCurrent());
  for (const LogEvent& event : std::exchange(open_, {})) {
    if (event.type != EventType::kDeleted) object_bytes_ -= event.object->footprint();
    if (event.previous) object_bytes_ += event.previous->footprint();
  }
  open_bytes_ = 0;
  tree_ = snapshot_.tree;
  nodes_published_ = tree_.nodes_copied();
  revision_ = snapshot_.revision;
  last_key_.clear();
  keys_at_revision_.clear();
}

void Cache::CloseBatch(std::optional<Revision> gap_after) {
  auto* const batch = new Batch();
  batch->first_sequence = next_sequence_;
  batch->events = std::exchange(open_, {});
  batch->goes_on =
      !gap_after && !batch->events.empty() && batch->events.front().revision == snapshot_.revision;
  snapshot_ = {tree_, revision_, form_};
  batch->revision = revision_;
  batch->gap_after = gap_after;
  batch->snapshot = snapshot_;
  batch->published = home_.Now();
  const uint64_t copied =
      tree_.nodes_copied() - std::exchange(nodes_published_, tree_.nodes_copied());
  batch->bytes = std::exchange(open_bytes_, 0) + copied * ObjectTree::node_bytes();
  next_sequence_ += batch->events.size();
  Append(BatchRef::Adopt(batch));
}

void Cache::Append(BatchRef batch) {
  // Nothing happened between the two: the later one says all that the earlier one did.
  if (log_.size() > 1 && IsBookmark(*batch) && IsBookmark(*log_.back())) {
    log_.pop_back();
  }
  log_bytes_ += batch->bytes;
  log_.push_back(batch);
  Trim();
  const uint64_t floor = log_.front()->first_sequence;
  ToReplicas(
      [batch = std::move(batch), floor](Replica& replica) { replica.OnBatch(batch, floor); });
}

void Cache::Trim() {
  const TimePoint oldest = log_.back()->published - limits_.window;
  const auto share = static_cast<size_t>(limits_.log_share * static_cast<double>(object_bytes_));
  const size_t max_bytes = std::max(limits_.log_min_bytes, share);
  while (true) {
    // A batch without events costs nothing, and says from where on history is known: it goes with
    // the next one.
    const auto eventful = std::find_if(log_.begin(), log_.end(), [](const BatchRef& batch) {
      return !batch->events.empty() || batch->gap_after;
    });
    if (eventful == log_.end() || eventful + 1 == log_.end()) return;
    if ((*eventful)->published >= oldest && log_bytes_ <= max_bytes) return;
    for (auto it = log_.begin(); it <= eventful; ++it) log_bytes_ -= (*it)->bytes;
    log_.erase(log_.begin(), eventful + 1);
  }
}

size_t Cache::Resynchronise(std::shared_ptr<const TypeForm> form, ObjectTree objects,
                            Revision revision) {
  assert(home_.IsCurrent());
  Publish();
  const Revision from = revision_;
  std::optional<Difference> difference;
  if (form_ != nullptr && SameItems(*form, *form_) && revision >= from) {
    difference = DifferenceBetween(tree_, from, objects, revision);
  }
  if (!difference) {
    BeginHistory(std::move(form), std::move(objects), revision);
    return 0;
  }
  const size_t events = difference->events.size();
  const bool changed =
      revision > from || !difference->replaced.empty() || form->warning != form_->warning;
  form_ = std::move(form);
  ApplyDifference(*std::move(difference));
  revision_ = revision;
  last_key_.clear();
  keys_at_revision_.clear();
  if (!changed) return 0;
  // Also without an event: what came and went in between is known to nobody.
  CloseBatch(revision > from ? std::optional(from) : std::nullopt);
  return events;
}

void Cache::ApplyDifference(Difference difference) {
  for (ObjectRef& object : difference.replaced) {
    object_bytes_ += object->footprint();
    const ObjectRef previous = tree_.Put(std::move(object));
    object_bytes_ -= previous->footprint();
    open_bytes_ += previous->footprint();
  }
  for (LogEvent& event : difference.events) {
    open_bytes_ += KeptBy(event);
    if (event.type == EventType::kDeleted) {
      // The name may have a new owner already.
      object_bytes_ -= tree_.Remove(event.object->key())->footprint();
    } else {
      object_bytes_ += event.object->footprint();
      if (const ObjectRef previous = tree_.Put(event.object)) {
        object_bytes_ -= previous->footprint();
      }
    }
  }
  if (!difference.events.empty()) last_event_ = home_.Now();
  open_ = std::move(difference.events);
}

void Cache::Invalidate() {
  assert(home_.IsCurrent());
  form_ = nullptr;
  tree_ = {};
  snapshot_ = {};
  revision_ = {};
  object_bytes_ = 0;
  last_event_ = {};
  open_.clear();
  open_bytes_ = 0;
  nodes_published_ = 0;
  last_key_.clear();
  keys_at_revision_.clear();
  log_.clear();
  log_bytes_ = 0;
  // With the reset, so that no reader takes the emptiness for an answer.
  state_ = CacheState::kStarting;
  PostReset();
}

void Cache::SetState(CacheState state) {
  assert(home_.IsCurrent());
  if (std::exchange(state_, state) == state) return;
  ToReplicas([state](Replica& replica) { replica.OnState(state); });
}

size_t Cache::object_bytes() const { return object_bytes_; }

void Cache::PostReset() {
  ToReplicas([log = log_, state = state_](Replica& replica) { replica.OnReset(log, state); });
}

template <typename Change>
void Cache::ToReplicas(const Change& change) {
  for (const SubscriberRef& subscriber : subscribers_) {
    subscriber->executor->Post([subscriber, change] {
      for (const std::shared_ptr<Replica>& replica : subscriber->replicas) change(*replica);
    });
  }
}

void Cache::Subscribe(std::shared_ptr<Replica> replica) {
  if (home_.IsCurrent()) return AddSubscriber(std::move(replica));
  home_.Post([this, alive = std::weak_ptr(alive_), replica = std::move(replica)]() mutable {
    if (!alive.expired()) AddSubscriber(std::move(replica));
  });
}

void Cache::Unsubscribe(Replica* replica) {
  if (home_.IsCurrent()) return RemoveSubscriber(replica);
  home_.Post([this, alive = std::weak_ptr(alive_), replica] {
    if (!alive.expired()) RemoveSubscriber(replica);
  });
}

void Cache::AddSubscriber(std::shared_ptr<Replica> replica) {
  Executor* const executor = replica->executor() == nullptr ? &home_ : replica->executor();
  executor->Post(
      [replica, log = log_, state = state_]() mutable { replica->OnReset(std::move(log), state); });
  const auto same = std::find_if(subscribers_.begin(), subscribers_.end(),
                                 [&](const SubscriberRef& s) { return s->executor == executor; });
  Subscriber changed{executor, {}};
  if (same != subscribers_.end()) changed.replicas = (*same)->replicas;
  changed.replicas.push_back(std::move(replica));
  auto ref = std::make_shared<const Subscriber>(std::move(changed));
  if (same != subscribers_.end()) {
    *same = std::move(ref);
  } else {
    subscribers_.push_back(std::move(ref));
  }
}

void Cache::RemoveSubscriber(Replica* replica) {
  const auto is_it = [replica](const std::shared_ptr<Replica>& other) {
    return other.get() == replica;
  };
  for (SubscriberRef& subscriber : subscribers_) {
    const auto found =
        std::find_if(subscriber->replicas.begin(), subscriber->replicas.end(), is_it);
    if (found == subscriber->replicas.end()) continue;
    Subscriber changed = *subscriber;
    std::erase_if(changed.replicas, is_it);
    SubscriberRef old =
        std::exchange(subscriber, std::make_shared<const Subscriber>(std::move(changed)));
    // A replica may die on its own executor only.
    Executor& executor = *old->executor;
    executor.Post([last = std::move(old)]() mutable { last.reset(); });
    break;
  }
  std::erase_if(subscribers_, [](const SubscriberRef& s) { return s->replicas.empty(); });
}

}  // namespace weir
