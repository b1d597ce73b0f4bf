#include "proxy/net/due_heap.h"

#include <utility>

namespace weir {

DueHeap::~DueHeap() {
  executor_.Cancel(timer_);
  Clear();
}

void DueHeap::Set(Member& member, TimePoint due) {
  if (member.slot_ == Member::kNowhere) {
    heap_.emplace_back();
    Up(heap_.size() - 1, Entry{due, RefPtr<Member>::Share(&member)});
  } else {
    const size_t slot = member.slot_;
    const bool later = due > heap_[slot].due;
    Entry entry{due, std::move(heap_[slot].member)};
    later ? Down(slot, std::move(entry)) : Up(slot, std::move(entry));
  }
  Arm();
}

void DueHeap::Remove(Member& member) {
  const size_t slot = std::exchange(member.slot_, Member::kNowhere);
  if (slot == Member::kNowhere) return;
  // Goes at the end: its destructor may come back here.
  const Entry removed = std::move(heap_[slot]);
  Entry last = std::move(heap_.back());
  heap_.pop_back();
  if (slot == heap_.size()) return;
  last.due > removed.due ? Down(slot, std::move(last)) : Up(slot, std::move(last));
}

void DueHeap::Clear() {
  const std::vector<Entry> all = std::exchange(heap_, {});
  for (const Entry& entry : all) entry.member->slot_ = Member::kNowhere;
}

void DueHeap::WakeAll() {
  std::vector<RefPtr<Member>> all;
  all.reserve(heap_.size());
  for (const Entry& entry : heap_) all.push_back(entry.member);
  for (const RefPtr<Member>& member : all) member->OnDue();
}

void DueHeap::Place(size_t slot, Entry entry) {
  entry.member->slot_ = static_cast<uint32_t>(slot);
  heap_[slot] = std::move(entry);
}

void DueHeap::Up(size_t slot, Entry entry) {
  while (slot > 0) {
    const size_t parent = (slot - 1) / 2;
    if (heap_[parent].due <= entry.due) break;
    Place(slot, std::move(heap_[parent]));
    slot = parent;
  }
  Place(slot, std::move(entry));
}

void DueHeap::Down(size_t slot, Entry entry) {
  for (;;) {
    size_t child = 2 * slot + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1].due < heap_[child].due) ++child;
    if (entry.due <= heap_[child].due) break;
    Place(slot, std::move(heap_[child]));
    slot = child;
  }
  Place(slot, std::move(entry));
}

void DueHeap::Arm() {
  if (heap_.empty() || heap_.front().due >= armed_for_) return;
  executor_.Cancel(timer_);
  armed_for_ = heap_.front().due;
  timer_ = executor_.After(armed_for_ - executor_.Now(), [this] { Fire(); });
}

void DueHeap::Fire() {
  timer_ = 0;
  armed_for_ = TimePoint::max();
  const TimePoint now = executor_.Now();
  // Found before any is called: one that stays due waits for the next turn.
  std::vector<RefPtr<Member>> due;
  std::vector<size_t> branches = {0};
  while (!branches.empty()) {
    const size_t slot = branches.back();
    branches.pop_back();
    if (slot >= heap_.size() || heap_[slot].due > now) continue;
    due.push_back(heap_[slot].member);
    branches.push_back(2 * slot + 1);
    branches.push_back(2 * slot + 2);
  }
  for (const RefPtr<Member>& member : due) member->OnDue();
  Arm();
}

}  // namespace weir
