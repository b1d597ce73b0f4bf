#include "cache/event_log.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace weir {
namespace {

// Batches without events never fall below a floor; without this a quiet cache would collect them
// for ever.
constexpr Duration kKeepEmpty = std::chrono::hours(1);

Revision OldestOf(const Batch& front) {
  if (front.gap_after) return *front.gap_after;
  // What was dropped before it may share the first event's revision, so only that itself is safe.
  return front.events.empty() ? front.revision : front.events.front().revision;
}

bool Contains(const Snapshot& snapshot, const LogEvent& event) {
  const ObjectRef found = snapshot.tree.Find(event.object->key());
  if (event.type == EventType::kDeleted) return !found;
  return found && found->revision() >= event.revision;
}

EventLog::Start NotCovered(Revision oldest) { return {false, false, 0, oldest}; }

// Whether it holds a part of `revision`, and not the first.
bool HoldsMoreOf(Revision revision, const Batch& batch) {
  return batch.goes_on && batch.events.front().revision == revision;
}

size_t EventsUpTo(const Batch& batch, Revision revision) {
  const auto end = std::upper_bound(batch.events.begin(), batch.events.end(), revision,
                                    [](Revision r, const LogEvent& e) { return r < e.revision; });
  return static_cast<size_t>(end - batch.events.begin());
}

void Replay(const Batch& batch, size_t count, ObjectTree& tree) {
  for (size_t i = 0; i < count; ++i) {
    const LogEvent& event = batch.events[i];
    if (event.type == EventType::kDeleted) {
      tree.Remove(event.object->key());
    } else {
      tree.Put(event.object);
    }
  }
}

}  // namespace

void EventLog::Reset(std::deque<BatchRef> log) {
  batches_ = std::move(log);
  rebuilt_.reset();
  dropped_gaps_.clear();
  newest_ = empty() ? Snapshot{} : batches_.back()->snapshot.value();
  oldest_ = empty() ? Revision{} : OldestOf(*batches_.front());
}

void EventLog::Append(BatchRef batch, uint64_t floor_sequence) {
  newest_ = batch->snapshot.value();
  if (empty()) oldest_ = OldestOf(*batch);
  // Between two bookmarks nothing happened: the later one says all that the earlier one did.
  const bool repeats = !empty() && batch->events.empty() && batches_.back()->events.empty() &&
                       !batch->gap_after && !batches_.back()->gap_after && batches_.size() > 1;
  if (repeats) batches_.pop_back();
  batches_.push_back(std::move(batch));
  const TimePoint now = batches_.back()->published;
  while (batches_.size() > 1) {
    const Batch& front = *batches_.front();
    const bool stale = front.events.empty() && front.published + kKeepEmpty < now;
    if (front.first_sequence >= floor_sequence && !stale) break;
    DropFront();
  }
  if (rebuilt_ && rebuilt_->revision < oldest_) rebuilt_.reset();
}

void EventLog::DropFront() {
  const Batch& front = *batches_.front();
  if (front.gap_after) {
    oldest_ = std::max(oldest_, front.revision);
    dropped_gaps_.emplace_back(*front.gap_after, front.revision);
    if (dropped_gaps_.size() > kMaxGaps) {
      dropped_gaps_[1].first = dropped_gaps_[0].first;
      dropped_gaps_.pop_front();
    }
  } else if (!front.events.empty()) {
    const Revision last = front.events.back().revision;
    // Of a revision whose parts are forgotten nobody could tell that it had some.
    const bool part = HoldsMoreOf(last, front);
    oldest_ = std::max(oldest_, part ? Revision{last.value + 1} : last);
  }
  batches_.pop_front();
}

size_t EventLog::FirstAbove(Revision revision) const {
  const auto it = std::upper_bound(batches_.begin(), batches_.end(), revision,
                                   [](Revision r, const BatchRef& b) { return r < b->revision; });
  return static_cast<size_t>(it - batches_.begin());
}

EventLog::Start EventLog::StartAfter(Revision from) const {
  if (CameInParts(from)) return NotCovered({from.value + 1});
  return StartAfterAll(from);
}

bool EventLog::CameInParts(Revision revision) const {
  const size_t above = FirstAbove(revision);
  if (above < batches_.size() && HoldsMoreOf(revision, *batches_[above])) return true;
  for (size_t i = above; i > 0 && batches_[i - 1]->revision == revision; --i) {
    if (HoldsMoreOf(revision, *batches_[i - 1])) return true;
  }
  return false;
}

bool EventLog::InsideGap(Revision revision) const {
  const size_t above = FirstAbove(revision);
  if (above < batches_.size() && batches_[above]->gap_after &&
      *batches_[above]->gap_after < revision) {
    return true;
  }
  return std::any_of(dropped_gaps_.begin(), dropped_gaps_.end(), [&](const auto& gap) {
    return gap.first < revision && revision < gap.second;
  });
}

EventLog::Start EventLog::StartAfterAll(Revision from) const {
  if (empty() || from < oldest_) return NotCovered(oldest_);
  const size_t index = FirstAbove(from);
  if (index == batches_.size()) {
    return {true, from > revision(), end_sequence(), {}};
  }
  const Batch& batch = *batches_[index];
  if (InsideGap(from)) return NotCovered(batch.revision);
  return {true, false, batch.first_sequence + EventsUpTo(batch, from), {}};
}

EventLog::Start EventLog::StartAfter(const Snapshot& snapshot) const {
  Start start = StartAfterAll(snapshot.revision);
  if (start.ahead) start.covered = false;  // No state of this history.
  if (!start.covered) return start;
  while (start.sequence > begin_sequence()) {
    const Position before = At(start.sequence - 1);
    if (before.event().revision != snapshot.revision || Contains(snapshot, before.event())) break;
    --start.sequence;
  }
  return start;
}

EventLog::Position EventLog::At(uint64_t sequence) const {
  const auto it =
      std::upper_bound(batches_.begin(), batches_.end(), sequence,
                       [](uint64_t s, const BatchRef& b) { return s < b->end_sequence(); });
  Position position;
  position.log_ = this;
  position.batch_ = static_cast<size_t>(it - batches_.begin());
  if (position.Valid()) position.event_ = sequence - (*it)->first_sequence;
  return position;
}

std::optional<Snapshot> EventLog::StateAt(Revision revision) {
  if (empty() || revision > this->revision()) return std::nullopt;
  if (rebuilt_ && rebuilt_->revision == revision) return rebuilt_;
  const size_t above = FirstAbove(revision);
  if (above == 0) return std::nullopt;
  std::optional<Snapshot> state = Rebuild(above, revision);
  if (state && (!batches_[above - 1]->snapshot || batches_[above - 1]->revision != revision)) {
    rebuilt_ = state;
  }
  return state;
}

std::optional<Snapshot> EventLog::Rebuild(size_t above, Revision revision) const {
  size_t partial = 0;  // Of the batch above: its events up to `revision`.
  if (above < batches_.size()) {
    const Batch& next = *batches_[above];
    if (next.gap_after && *next.gap_after < revision) return std::nullopt;
    partial = EventsUpTo(next, revision);
  }
  size_t base = above - 1;
  size_t replay = partial;
  while (!batches_[base]->snapshot) {
    replay += batches_[base]->events.size();
    if (base == 0) return std::nullopt;
    --base;
  }
  if (replay > kMaxReplay) return std::nullopt;
  Snapshot state = *batches_[base]->snapshot;
  for (size_t i = base + 1; i < above; ++i) {
    Replay(*batches_[i], batches_[i]->events.size(), state.tree);
  }
  if (partial > 0) Replay(*batches_[above], partial, state.tree);
  state.revision = revision;
  return state;
}

}  // namespace weir
