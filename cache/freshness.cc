#include "cache/freshness.h"

#include <algorithm>
#include <utility>

#include "cache/difference.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

constexpr Duration kBusy =
    std::chrono::seconds(1);  // An event within it: the next one may come any moment.
constexpr Duration kPause = milliseconds(200);  // After a failed probe or check.
constexpr Duration kPoll = milliseconds(50);    // How often waiting reads are looked at.

}  // namespace

void Freshness::Attach(Feed& feed, Cache& cache, std::function<void()> answered) {
  feed_ = &feed;
  cache_ = &cache;
  answered_ = std::move(answered);
}

void Freshness::Detach() {
  probe_.reset();
  check_.reset();
  home_.Cancel(std::exchange(timer_, 0));
  Answer(queued_, false);
  Answer(probing_, false);
  for (Group& group : groups_) Answer(group.waiters, false);
  groups_.clear();
  answered_ = nullptr;
  feed_ = nullptr;
  cache_ = nullptr;
}

void Freshness::Prove(Revision at_least, Executor& caller, absl::AnyInvocable<void(bool)> done) {
  home_.Post(
      [self = shared_from_this(), at_least, caller = &caller, done = std::move(done)]() mutable {
        self->Arrive(at_least, {self->home_.Now() + self->limits_.wait, caller, std::move(done)});
      });
}

void Freshness::Arrive(Revision at_least, Waiter waiter) {
  std::vector<Waiter> one;
  one.push_back(std::move(waiter));
  // Without bookmarks nothing proves a stream.
  const bool hopeless = feed_ == nullptr || feed_->uncached() ||
                        cache_->state() == CacheState::kRefused || waiting() >= limits_.max_waiters;
  if (hopeless) return Answer(one, false);
  if (at_least != Revision{}) {
    AddGroup(at_least, false, std::move(one));
    AnswerReached(&Counters::at_once);
  } else {
    queued_.push_back(std::move(one.front()));
    StartProbe();
  }
  ArmTimer();
}

void Freshness::StartProbe() {
  // Before the first LIST there is nothing to prove; it may itself answer those that wait.
  const bool listed =
      cache_->state() == CacheState::kSynced || cache_->state() == CacheState::kBroken;
  if (probe_ || queued_.empty() || !listed || home_.Now() < retry_probe_) return;
  probing_ = std::exchange(queued_, {});
  before_probe_ = cache_->revision();
  probe_ = feed_->Probe([this](const ListOutcome& outcome) { OnProbed(outcome); });
}

void Freshness::OnProbed(const ListOutcome& outcome) {
  probe_.reset();
  std::vector<Waiter> waiters = std::exchange(probing_, {});
  if (!outcome.status.ok()) {
    // They came before it, so any later probe will do for them.
    waiters.insert(waiters.end(), std::make_move_iterator(queued_.begin()),
                   std::make_move_iterator(queued_.end()));
    queued_ = std::move(waiters);
    retry_probe_ = home_.Now() + kPause;
  } else if (const Revision named = outcome.list.revision; named < before_probe_) {
    Answer(waiters, false);
    feed_->Regressed(named);
  } else {
    AddGroup(named, true, std::move(waiters));
    AnswerReached(&Counters::at_once);
    StartProbe();
  }
  ArmTimer();
}

void Freshness::AddGroup(Revision target, bool most_recent, std::vector<Waiter> waiters) {
  if (waiters.empty()) return;
  groups_.push_back({target, most_recent, home_.Now(), ++last_group_, std::move(waiters)});
}

void Freshness::AnswerReached(uint64_t Counters::* counter) {
  const Revision reached = feed_->proven();
  std::erase_if(groups_, [&](Group& group) {
    if (group.target > reached) return false;
    counters_.*counter += group.waiters.size();
    Answer(group.waiters, true);
    return true;
  });
}

void Freshness::OnProgress() {
  if (feed_ == nullptr) return;
  AnswerReached(&Counters::by_stream);
  if (cache_->state() == CacheState::kRefused) {
    Answer(queued_, false);
    for (Group& group : groups_) Answer(group.waiters, false);
    groups_.clear();
  }
  StartProbe();
  Nudge();
  ArmTimer();
}

void Freshness::Nudge() {
  const TimePoint now = home_.Now();
  const Duration grace = Grace();
  const bool small = Small();
  bool check = false, hasten = false;
  for (const Group& group : groups_) {
    if (now - group.since < grace) continue;
    if (!small || !group.most_recent || group.number <= differed_) {
      hasten = true;
    } else {
      check = true;
    }
  }
  if (check && !check_) StartCheck();
  if (hasten) feed_->Hasten();
}

void Freshness::StartCheck() {
  if (home_.Now() < retry_check_ || !feed_->streaming()) return;
  check_covers_ = last_group_;
  before_check_ = cache_->revision();
  check_ = feed_->Check([this](const ListOutcome& outcome) { OnChecked(outcome); });
}

void Freshness::OnChecked(const ListOutcome& outcome) {
  check_.reset();
  retry_check_ = home_.Now() + kPause;
  if (!outcome.status.ok()) return ArmTimer();
  const Revision listed = outcome.list.revision;
  if (listed < before_check_) {
    feed_->Regressed(listed);
  } else if (SameStates(cache_->snapshot().tree, outcome.list.objects)) {
    std::erase_if(groups_, [&](Group& group) {
      if (!group.most_recent || group.number > check_covers_) return false;
      counters_.by_list += group.waiters.size();
      Answer(group.waiters, true);
      return true;
    });
  } else {
    differed_ = check_covers_;
    if (listed == cache_->revision())
      feed_->Distrust("another LIST of the same revision has other objects");
  }
  ArmTimer();
}

bool Freshness::Small() const {
  return cache_->snapshot().tree.sums().rest_bytes < limits_.small_bytes;
}

Duration Freshness::Grace() const {
  return home_.Now() - cache_->last_event() < kBusy ? limits_.busy_grace : limits_.quiet_grace;
}

void Freshness::Answer(std::vector<Waiter>& waiters, bool fresh) {
  if (waiters.empty()) return;
  if (!fresh) counters_.failed += waiters.size();
  if (answered_) answered_();
  // By post even at home: every batch that the proof relies on was posted there before.
  for (Waiter& waiter : waiters) {
    waiter.caller->Post([done = std::move(waiter.done), fresh]() mutable { done(fresh); });
  }
  waiters.clear();
}

void Freshness::Expire() {
  const TimePoint now = home_.Now();
  ExpireOf(queued_, now);
  ExpireOf(probing_, now);
  for (Group& group : groups_) ExpireOf(group.waiters, now);
  std::erase_if(groups_, [](const Group& group) { return group.waiters.empty(); });
}

void Freshness::ExpireOf(std::vector<Waiter>& waiters, TimePoint now) {
  const auto alive = std::find_if(waiters.begin(), waiters.end(),
                                  [now](const Waiter& w) { return w.deadline > now; });
  std::vector<Waiter> late(std::make_move_iterator(waiters.begin()),
                           std::make_move_iterator(alive));
  waiters.erase(waiters.begin(), alive);
  Answer(late, false);
}

void Freshness::ArmTimer() {
  if (timer_ != 0 || waiting() == 0) return;
  timer_ = home_.After(limits_.quiet_grace < kPoll ? limits_.quiet_grace : kPoll, [this] {
    timer_ = 0;
    Expire();
    OnProgress();
  });
}

size_t Freshness::waiting() const {
  size_t count = queued_.size() + probing_.size();
  for (const Group& group : groups_) count += group.waiters.size();
  return count;
}

}  // namespace weir
