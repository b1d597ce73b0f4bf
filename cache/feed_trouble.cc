// What a Feed does when upstream fails, refuses, falls silent or goes back in time.

#include <algorithm>
#include <utility>

#include "cache/difference.h"
#include "cache/feed.h"
#include "protocol/base/log.h"

namespace weir {
namespace {

using std::chrono::seconds;

constexpr Duration kRefusalRetry = seconds(60);
// A restarting API server answers 401 or 403 until its authorizer has loaded: no reason to end
// watches.
constexpr Duration kRefusalGrace = seconds(30);
constexpr Duration kOverdue = seconds(30);
constexpr Duration kTick = seconds(30);
// A standing watch brings a bookmark every 60 s when anything changes anywhere; a lagging one gets
// a second minute.
constexpr Duration kQuiet = seconds(90);
constexpr Duration kSuspicion = seconds(75);
// Where no bookmark comes a quiet stream is proved often enough that upstream, which forgets after
// five minutes at the earliest, could resume it.
constexpr Duration kQuietProof = seconds(240);
constexpr Duration kOnItsWay = seconds(2);  // What a LIST shows and the stream has not brought.

}  // namespace

void Feed::Retry(Next next, Duration retry_after, std::string_view why) {
  DropAll();
  if (has_history_) SetCacheState(CacheState::kBroken);
  Enter(State::kWaiting);
  reason_ = why;
  const Duration pause = backoff_.Next(retry_after);
  retry_timer_ = home_.After(pause, [this, next] {
    retry_timer_ = 0;
    if (next == Next::kList || !has_history_) {
      BeginList();
    } else {
      Resume();
    }
  });
}

void Feed::OnHttpRefusal(int http, std::string_view why) {
  if (refused_since_ == TimePoint()) {
    refused_since_ = home_.Now();
    if (http == 404) listener_.OnTypeMissing();
  }
  if (has_history_ && home_.Now() - refused_since_ < kRefusalGrace)
    return Retry(Next::kResume, Duration(0), why);
  Refuse(why, false);
}

void Feed::Refuse(std::string_view why, bool for_good) {
  DropAll();
  if (has_history_) ForgetHistory();
  memory_.Set(0);
  SetCacheState(CacheState::kRefused);
  if (reason_ != why) {
    Log(LogLevel::kWarning, "Feed refused; its reads are forwarded",
        {{"resource", Name()}, {"why", why}, {"for_good", for_good ? 1 : 0}});
  }
  Enter(State::kRefused);
  reason_ = why;
  refused_since_ = TimePoint();
  if (for_good) return;
  retry_timer_ = home_.After(backoff_.Jitter(2 * kRefusalRetry), [this] {
    retry_timer_ = 0;
    BeginList();
  });
}

void Feed::Regressed(Revision upstream) {
  if (!has_history_) return;
  ++counters_.regressions;
  Log(LogLevel::kWarning, "Upstream's revision went back; all watches end",
      {{"resource", Name()}, {"ours", cache_.revision().value}, {"upstream", upstream.value}});
  DropAll();
  ForgetHistory();
  BeginList();
}

void Feed::DropAll() {
  // What the dying stream has delivered is true all the same.
  PublishLast();
  list_.reset();
  probe_.reset();
  quiet_probe_.reset();
  stream_.reset();
  next_.reset();
  fed_since_ = TimePoint();
  home_.Cancel(std::exchange(retry_timer_, 0));
  home_.Cancel(std::exchange(judge_timer_, 0));
}

void Feed::ForgetHistory() {
  cache_.Invalidate();
  open_.clear();
  dirty_ = false;
  home_.Cancel(std::exchange(publish_timer_, 0));
  has_history_ = false;
  proven_ = Revision{};
  SetCacheState(CacheState::kStarting);
}

void Feed::Enter(State state) {
  state_ = state;
  if (state == State::kStreaming) reason_.clear();
}

void Feed::SetCacheState(CacheState state) {
  if (cache_.state() != state) cache_.SetState(state);
}

bool Feed::Account() {
  memory_.Set(cache_.object_bytes() + cache_.log_bytes());
  if (!memory_.budget().Overrun() || listener_.OnMemoryShort()) return true;
  Refuse("the caches together exceed the memory budget", false);
  return false;
}

void Feed::ArmTick() {
  tick_timer_ = home_.After(kTick, [this] {
    ArmTick();
    OnTick();
  });
}

void Feed::OnTick() {
  if (!streaming()) return;
  const TimePoint now = home_.Now();
  if (heard_ > suspected_) suspected_ = TimePoint();
  const bool overdue = now - opened_ > stream_->start().timeout + kOverdue;
  const bool lagging = suspected_ != TimePoint() && now - suspected_ >= kSuspicion;
  if (overdue || lagging) return GoSilent();
  if (now - heard_ < kQuiet || suspected_ != TimePoint() || quiet_probe_) return;
  if (options_.uncached) {
    if (now >= quiet_due_ && judge_timer_ == 0) CheckQuietStream();
  } else {
    quiet_revision_ = cache_.revision();
    quiet_probe_ = Probe([this](const ListOutcome& outcome) { OnQuietProbe(outcome); });
  }
}

void Feed::GoSilent() {
  Log(LogLevel::kWarning, "Feed's stream fell silent", {{"resource", Name()}});
  DropAll();
  SetCacheState(CacheState::kBroken);
  reason_ = "WATCH: silent";
  upstream_.SwitchEndpoint();
  Resume();
  listener_.OnFeedProgress();
}

void Feed::OnQuietProbe(const ListOutcome& outcome) {
  quiet_probe_.reset();
  // If upstream is away, the stream will tell.
  if (!outcome.status.ok() || !streaming()) return;
  if (outcome.list.revision < quiet_revision_) {
    Regressed(outcome.list.revision);
  } else if (outcome.list.revision > cache_.revision()) {
    suspected_ = home_.Now();
  }
  listener_.OnFeedProgress();
}

void Feed::CheckQuietStream() {
  quiet_revision_ = cache_.revision();
  quiet_asked_ = home_.Now();
  quiet_due_ = quiet_asked_ + kQuietProof / 2;  // If it fails.
  quiet_probe_ = Check([this](ListOutcome outcome) { OnQuietList(std::move(outcome)); });
}

void Feed::OnQuietList(ListOutcome outcome) {
  quiet_probe_.reset();
  if (!outcome.status.ok() || !streaming()) return;
  if (outcome.list.revision < quiet_revision_) {
    Regressed(outcome.list.revision);
    listener_.OnFeedProgress();
    return;
  }
  judge_timer_ = home_.After(kOnItsWay, [this, list = std::move(outcome.list)] {
    judge_timer_ = 0;
    JudgeQuietStream(list);
  });
}

void Feed::JudgeQuietStream(const LoadedList& list) {
  if (heard_ >= quiet_asked_) return;
  if (!SameStates(cache_.snapshot().tree, list.objects)) return GoSilent();
  quiet_due_ = home_.Now() + kQuietProof;
  if (!cache_.Advance(list.revision).ok()) return;
  dirty_ = true;
  proven_ = list.revision;
  Publish();
  listener_.OnFeedProgress();
}

std::string_view ToString(Feed::State state) {
  switch (state) {
    case Feed::State::kIdle:
      return "idle";
    case Feed::State::kListing:
      return "listing";
    case Feed::State::kProbing:
      return "probing";
    case Feed::State::kOpening:
      return "opening";
    case Feed::State::kStreaming:
      return "streaming";
    case Feed::State::kWaiting:
      return "waiting";
    case Feed::State::kRefused:
      return "refused";
  }
  return "?";
}

}  // namespace weir
