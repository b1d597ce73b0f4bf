#include "proxy/upstream/endpoints.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace weir {
namespace {

constexpr Duration kAvoid = std::chrono::seconds(1);

}  // namespace

std::vector<size_t> Endpoints::Order(TimePoint now) {
  if (count() == 1) return {0};
  const size_t turn = turn_.fetch_add(1, std::memory_order_relaxed);
  using Rank = std::tuple<Health, bool, int64_t>;
  std::vector<std::pair<Rank, size_t>> ranked;
  for (size_t i = 0; i < count(); ++i) {
    const size_t endpoint = (turn + i) % count();
    const Endpoint& each = all_[endpoint];
    const TimePoint failed{Duration(each.failed.load(std::memory_order_relaxed))};
    const bool avoid = failed != TimePoint() && failed + kAvoid >= now;
    ranked.emplace_back(Rank(each.health.load(), avoid, each.requests.load()), endpoint);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<size_t> order;
  order.reserve(count());
  for (const auto& [rank, endpoint] : ranked) order.push_back(endpoint);
  return order;
}

size_t Endpoints::OtherThan(size_t endpoint, TimePoint now) {
  const std::vector<size_t> order = Order(now);
  const auto other = std::find_if(order.begin(), order.end(),
                                  [endpoint](size_t each) { return each != endpoint; });
  return other == order.end() ? endpoint : *other;
}

void Endpoints::NoteFailure(size_t endpoint, TimePoint now) {
  all_[endpoint].failed.store(now.time_since_epoch().count(), std::memory_order_relaxed);
}

std::vector<Endpoints::Member*> Endpoints::MembersOf(const Place& place) const {
  const MutexLock lock(mutex_);
  std::vector<Member*> members;
  for (const auto& [member, at] : members_) {
    if (at.endpoint == place.endpoint && at.executor == place.executor) members.push_back(member);
  }
  return members;
}

bool Endpoints::AnotherAnswers(size_t endpoint, TimePoint since) const {
  for (size_t i = 0; i < count(); ++i) {
    if (i == endpoint || health(i) == Health::kDead) continue;
    if (all_[i].stranger && !all_[endpoint].stranger) continue;
    if (health(i) == Health::kReady || heard(i) >= since) return true;
  }
  return false;
}

void Endpoints::SetHealth(size_t endpoint, Health health) {
  if (all_[endpoint].health.exchange(health) == health || health != Health::kDead) return;
  absl::flat_hash_set<Executor*> executors;
  {
    const MutexLock lock(mutex_);
    for (const auto& [member, at] : members_) {
      if (at.endpoint == endpoint) executors.insert(at.executor);
    }
  }
  for (Executor* const executor : executors) {
    executor->Post([self = shared_from_this(), place = Place{endpoint, executor}] {
      for (Member* const member : self->MembersOf(place)) member->OnEndpointDead();
    });
  }
}

void Endpoints::Join(size_t endpoint, Executor& executor, Member& member) {
  if (count() == 1) return;
  const MutexLock lock(mutex_);
  members_.emplace(&member, Place{endpoint, &executor});
}

void Endpoints::Leave(Member& member) {
  if (count() == 1) return;
  const MutexLock lock(mutex_);
  members_.erase(&member);
}

std::string_view ToString(Endpoints::Health health) {
  switch (health) {
    case Endpoints::Health::kReady:
      return "ready";
    case Endpoints::Health::kNotReady:
      return "not ready";
    case Endpoints::Health::kDead:
      return "dead";
  }
  return "?";
}

}  // namespace weir
