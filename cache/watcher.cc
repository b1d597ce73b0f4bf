#include "cache/watcher.h"

#include <chrono>
#include <utility>

#include "cache/fan_out.h"
#include "cache/leaf_blocks.h"

namespace weir {
namespace {

// As apiserver, whose timer serves a new WatchList watcher at its next tick.
constexpr Duration kFirstBookmark = std::chrono::seconds(1);

}  // namespace

CachedWatcher::Initial::Initial(WatchSpec& spec)
    : snapshot(*std::move(spec.initial)), candidates(std::move(spec.candidates)) {
  const Filter& filter = spec.filter;
  auto [start, end] = filter.KeyRange();
  const std::string name(filter.fields().RequiredValue("metadata.name").value_or(""));
  const std::string& ns = filter.namespace_name();
  if (!name.empty() && (!ns.empty() || !snapshot.form->type.namespaced)) {
    start = ns.empty() ? name : ns + "/" + name;
    end = start + '\0';
  }
  cursor = start.empty() ? snapshot.tree.Begin() : snapshot.tree.LowerBound(start);
  end_key = std::move(end);
}

void CachedWatcher::Initial::Next() {
  if (candidates) {
    ++next;
    return;
  }
  cursor.Prefetch();
  cursor.Next();
}

bool CachedWatcher::Initial::AtEnd() const {
  if (candidates) return next == candidates->size();
  return !cursor.Valid() || (!end_key.empty() && cursor->key() >= end_key);
}

CachedWatcher::CachedWatcher(FanOut& fan_out, View& view, WatchSpec spec, WatchSink& sink)
    : fan_out_(fan_out),
      view_(view),
      sink_(sink),
      deadline_(spec.deadline),
      bookmarks_(spec.bookmarks),
      mark_only_(spec.mark_only) {
  ++view_.watchers;
  ++fan_out_.watchers_;
  fan_out_.waiting_.PushBack(*this);
  StartAt(spec);
  if (state_ != State::kOver) fan_out_.ScheduleBookmark(*this, fan_out_.bookmark_interval_);
}

CachedWatcher::~CachedWatcher() {
  PlaceHook::Unlink();
  WheelHook::Unlink();
  const std::shared_ptr<FanOut> last = fan_out_.Leave(view_);
}

void CachedWatcher::StartAt(WatchSpec& spec) {
  const EventLog& log = *fan_out_.log_;
  if (spec.initial) {
    reached_ = spec.initial->revision;
    const EventLog::Start start = log.StartAfter(*spec.initial);
    if (!start.covered) return GoOver(Ending::kExpired);
    state_ = State::kInitial;
    cursor_ = start.sequence;
    initial_ = std::make_unique<Initial>(spec);
  } else if (log.empty()) {
    reached_ = spec.from;
    GoOver(Ending::kExpired);
  } else if (spec.from == Revision{}) {
    reached_ = log.revision();
    state_ = State::kBehind;
    cursor_ = log.end_sequence();
  } else {
    reached_ = spec.from;
  }
}

bool CachedWatcher::OnWritable() {
  blocked_ = false;
  if (state_ == State::kStart) Begin();
  if (Lost()) GoOver(Ending::kExpired);
  switch (state_) {
    case State::kInitial:
    case State::kBehind:
      return Visit();
    case State::kOver:
      Finish();
      return false;
    default:
      return false;
  }
}

bool CachedWatcher::Lost() const {
  const bool reads_log = state_ == State::kInitial || state_ == State::kBehind;
  return reads_log && cursor_ < fan_out_.log_->begin_sequence();
}

void CachedWatcher::Begin() {
  const EventLog::Start start = fan_out_.log_->StartAfter(reached_);
  if (!start.covered) return GoOver(Ending::kExpired);
  if (start.ahead) {
    state_ = State::kAhead;
    fan_out_.ahead_.PushBack(*this);
  } else {
    state_ = State::kBehind;
    cursor_ = start.sequence;
  }
}

bool CachedWatcher::Visit() {
  FanOut::Lease gather(fan_out_);
  std::unique_ptr<Initial> in_hand;  // What is gathered may live in the snapshot only.
  if (state_ == State::kInitial) {
    GatherInitial(*gather);
    if (state_ != State::kInitial) in_hand = std::move(initial_);
  }
  if (state_ == State::kBehind) GatherEvents(*gather);
  const bool caught_up = state_ == State::kBehind && cursor_ == fan_out_.log_->end_sequence();
  if (!gather->empty()) {
    ++fan_out_.counters_.gathers;
    if (view_.form.gzip_members) gather->Compress();
    Write(*gather);
  }
  if (caught_up && !blocked_) GoLive();
  return !caught_up;
}

// The leaf that begins here, if it is to be sent whole and compressed. Most selectors that many
// clients have, such as kube-proxy's, leave out next to nothing: all of them share what is ready.
std::optional<ObjectTree::Leaf> CachedWatcher::LeafForAll() const {
  if (!view_.form.gzip_members || initial_->candidates) return std::nullopt;
  const auto leaf = initial_->cursor.WholeLeaf();
  if (!leaf || view_.everything()) return leaf;
  for (size_t i = 0; i < leaf->size(); ++i) {
    if (!view_.Matches((*leaf)[i])) return std::nullopt;
  }
  return leaf;
}

void CachedWatcher::GatherInitial(FrameGather& gather) {
  const Framing& framing = fan_out_.FramingOf(view_.form);
  size_t scanned = 0;
  for (; !initial_->AtEnd(); ++scanned) {
    if (scanned >= kVisitScan) return;
    if (const auto leaf = LeafForAll()) {
      http::DeflatedBlocks spare;
      const http::DeflatedBlocks& blocks = LeafInitialEvents(*leaf, framing, spare);
      if (!gather.Fits(blocks.bytes.size(), kVisitBytes)) return;
      gather.AddBlocks(blocks, leaf->size());
      scanned += leaf->size();
      initial_->cursor.SkipLeaf();
      continue;
    }
    const Object& object = initial_->Front();
    if (view_.Matches(object)) {
      if (!gather.Fits(framing.InitialBytes(object), kVisitBytes)) return;
      gather.AddInitial(framing, object);
    }
    initial_->Next();
  }
  state_ = State::kBehind;
  if (!bookmarks_) return;
  gather.AddFrame(fan_out_.InitialEventsEnd(view_.form, initial_->snapshot.revision));
  ++fan_out_.counters_.bookmarks;
  mark_is_last_ = true;
  fan_out_.ScheduleBookmark(*this, kFirstBookmark);
}

void CachedWatcher::GatherEvents(FrameGather& gather) {
  const Framing& framing = fan_out_.FramingOf(view_.form);
  size_t scanned = 0;
  for (auto at = fan_out_.log_->At(cursor_); at.Valid(); at.Next()) {
    if (scanned++ == kVisitScan) return;
    const LogEvent& event = at.event();
    ++fan_out_.counters_.evaluations;
    const Transition transition = TransitionOf(view_, event);
    if (transition != Transition::kNone) {
      const size_t bytes = framing.EventBytes(transition, event);
      if (!gather.Fits(bytes, kVisitBytes)) return;
      gather.AddEvent(framing, transition, event);
      reached_ = event.revision;
    }
    cursor_ = at.sequence() + 1;
  }
}

void CachedWatcher::WriteLive(const FrameGather& gather, uint64_t next, Revision revision) {
  reached_ = revision;
  if (!Write(gather)) Park(next);
}

void CachedWatcher::WakeFromAhead() {
  fan_out_.waiting_.PushBack(*this);
  state_ = State::kStart;
  bool more = OnWritable();
  while (more && !blocked_) more = OnWritable();
}

void CachedWatcher::OnBookmarkDue() {
  const Revision revision = fan_out_.log_->revision();
  const bool early = std::exchange(mark_is_last_, false);
  if (state_ == State::kLive && (revision > reached_ || !early)) {
    FanOut::Lease gather(fan_out_);
    gather->AddFrame(fan_out_.PlainBookmark(view_.form));
    ++fan_out_.counters_.bookmarks;
    reached_ = revision;
    if (!Write(*gather)) Park(fan_out_.log_->end_sequence());
  }
  fan_out_.ScheduleBookmark(*this, fan_out_.bookmark_interval_);
}

void CachedWatcher::GoOver(Ending ending) {
  state_ = State::kOver;
  ending_ = ending;
  initial_.reset();
  WheelHook::Unlink();
}

void CachedWatcher::Finish() {
  state_ = State::kEnded;
  if (ending_ == Ending::kExpired) {
    FanOut::Lease gather(fan_out_);
    gather->AddFrame(ExpiredFrame());
    if (view_.form.gzip_members) gather->Compress();
    ++fan_out_.counters_.expired;
    Write(*gather);
  }
  sink_.End();
}

std::shared_ptr<const std::string> CachedWatcher::ExpiredFrame() const {
  const EventLog& log = *fan_out_.log_;
  const EventLog::Start start = log.StartAfter(reached_);
  const Revision oldest = start.covered ? log.oldest() : start.oldest;
  const ApiError error = ApiError::WatchExpired(reached_.value, oldest.value);
  return std::make_shared<const std::string>(Framing::Error(view_.form.encoding, error));
}

bool CachedWatcher::Write(const FrameGather& gather) {
  WatchCounters& counters = fan_out_.counters_;
  ++counters.writes;
  counters.frames += gather.frames();
  counters.bytes += gather.bytes();
  blocked_ = !sink_.Write(gather.pieces(), gather.bytes(), gather.frames());
  if (blocked_) ++counters.parked;
  return !blocked_;
}

void CachedWatcher::Park(uint64_t cursor) {
  state_ = State::kBehind;
  cursor_ = cursor;
  fan_out_.waiting_.PushBack(*this);
}

void CachedWatcher::GoLive() {
  state_ = State::kLive;
  cursor_ = fan_out_.log_->end_sequence();
  view_.live.PushBack(*this);
}

}  // namespace weir
