#include "cache/feed.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cache/upstream_json.h"
#include "protocol/base/log.h"
#include "protocol/k8s/proto_watch_frame.h"

namespace weir {
namespace {

using std::chrono::seconds;

constexpr Duration kSettled = seconds(5);  // Streams or a list that lived as long were no failure.
constexpr seconds kRapidTimeout{3};  // Brings a bookmark after 0.85 to 1.7 s (design, section 7).
constexpr Duration kRapidOwes = std::chrono::milliseconds(2200);
constexpr Duration kRapidInterval = std::chrono::milliseconds(500);
constexpr seconds kStandingTimeout{600};  // At most; at least half of it.
// The keys of a lease end at one revision, and their events follow each other closely.
constexpr Duration kLeaseEnds = std::chrono::milliseconds(50);
constexpr Duration kMaxHold = seconds(1);

bool RefusesType(int http) { return http == 401 || (http >= 403 && http <= 406); }

}  // namespace

Feed::Feed(Executor& home, ListWatcher& upstream, Cache& cache,
           std::shared_ptr<MemoryBudget> budget, ResourceType type, Options options,
           FeedListener& listener)
    : home_(home),
      upstream_(upstream),
      cache_(cache),
      type_(std::move(type)),
      options_(std::move(options)),
      path_(type_.id.CollectionPath()),
      type_prefix_(
          fmt::format(R"("kind":"{}","apiVersion":"{}",)", type_.kind, type_.id.ApiVersion())),
      fields_(options_.fields ? options_.fields : SelectableFields::BuiltIn(type_.id)),
      listener_(listener),
      memory_(std::move(budget)),
      backoff_(options_.seed),
      scanner_(options_.encoding, fields_),
      custom_(options_.custom) {}

Feed::~Feed() { Stop(); }

std::string Feed::Name() const {
  if (options_.encoding == Encoding::kJson) return type_.id.ToString();
  return fmt::format("{} ({})", type_.id.ToString(), ToString(options_.encoding));
}

void Feed::Start() {
  ArmTick();
  BeginList();
}

void Feed::Stop() {
  DropAll();
  home_.Cancel(std::exchange(tick_timer_, 0));
  home_.Cancel(std::exchange(list_again_timer_, 0));
  state_ = State::kIdle;
}

// ---- Listing

void Feed::BeginList() {
  DropAll();
  if (has_history_) SetCacheState(CacheState::kBroken);
  Enter(State::kListing);
  ++counters_.lists;
  listed_ = home_.Now();
  ListLoad::Options options = LoadOptions();
  options.known = cache_.snapshot().tree;
  options.fits = [this](size_t bytes) {
    // Told to the other feeds at once, so that many that list together do not all fit.
    const size_t standing = cache_.object_bytes() + cache_.log_bytes();
    memory_.Set(standing + bytes);
    did_not_fit_ = !memory_.budget().Fits(0);
    return !did_not_fit_;
  };
  did_not_fit_ = false;
  list_ = std::make_unique<ListLoad>(upstream_, path_, std::move(options),
                                     [this](ListOutcome outcome) { OnListed(std::move(outcome)); });
}

void Feed::OnListed(ListOutcome outcome) {
  list_.reset();
  if (outcome.status.ok()) {
    Adopt(std::move(outcome.list));
  } else {
    OnListFailed(outcome);
  }
  listener_.OnFeedProgress();
}

void Feed::OnListFailed(const ListOutcome& outcome) {
  const std::string why = fmt::format("LIST: {}", Message(outcome.status));
  memory_.Set(cache_.object_bytes() + cache_.log_bytes());
  if (outcome.opaque_revision) return Refuse(why, true);
  if (RefusesType(outcome.http)) return OnHttpRefusal(outcome.http, why);
  if (did_not_fit_ && listener_.OnMemoryShort()) return Retry(Next::kList, Duration(0), why);
  if (absl::IsResourceExhausted(outcome.status) || absl::IsInvalidArgument(outcome.status))
    return Refuse(why, false);
  if (outcome.http == 0 || outcome.http >= 500 || outcome.http == 200) upstream_.SwitchEndpoint();
  Retry(Next::kList, outcome.retry_after, why);
}

void Feed::Adopt(LoadedList list) {
  const Revision revision = list.revision;
  if (has_history_ && revision < cache_.revision()) {
    ++counters_.regressions;
    Log(LogLevel::kWarning, "Upstream's revision went back; all watches end",
        {{"resource", Name()}, {"ours", cache_.revision().value}, {"upstream", revision.value}});
    ForgetHistory();
  }
  if (has_history_) {
    ++counters_.resyncs;
    if (options_.strict_resync) ForgetHistory();
  }
  std::shared_ptr<const TypeForm> form = FormOf(list);
  ObjectTree objects = ObjectTree::FromSorted(std::move(list.objects));
  const size_t count = objects.sums().objects;
  size_t changes = 0;
  if (has_history_) {
    DiscardOpen();
    changes = cache_.Resynchronise(std::move(form), std::move(objects), revision);
  } else {
    cache_.Reset(std::move(form), std::move(objects), revision);
  }
  has_history_ = true;
  proven_ = revision;
  refused_since_ = TimePoint();
  Log(LogLevel::kInfo, "Feed listed",
      {{"resource", Name()},
       {"objects", count},
       {"changes", changes},
       {"revision", revision.value}});
  if (!Account()) return;
  SetCacheState(CacheState::kSynced);
  Open(false);
}

std::shared_ptr<const TypeForm> Feed::FormOf(const LoadedList& list) const {
  auto form = std::make_shared<TypeForm>();
  form->type = type_;
  form->list_kind = list.kind;
  form->fields = fields_;
  form->encoding = options_.encoding;
  form->custom = options_.custom;
  if (!IsProtobuf(options_.encoding)) {
    form->typed_items = list.objects.empty() ? custom_ : list.typed_items;
    if (!form->typed_items) form->type_prefix = type_prefix_;
  }
  form->warning = list.warning;
  return form;
}

void Feed::ListAgain() {
  if (home_.Now() - listed_ >= kSettled) return BeginList();
  Retry(Next::kList, Duration(0), reason_);
}

// ---- Watching

void Feed::Resume() {
  DropAll();
  Enter(State::kProbing);
  probe_ = Probe([this](const ListOutcome& outcome) { OnProbed(outcome); });
}

void Feed::OnProbed(const ListOutcome& outcome) {
  probe_.reset();
  if (!outcome.status.ok()) {
    SetCacheState(CacheState::kBroken);
    const std::string why = fmt::format("probe: {}", Message(outcome.status));
    if (RefusesType(outcome.http)) {
      OnHttpRefusal(outcome.http, why);
    } else {
      upstream_.SwitchEndpoint();
      Retry(Next::kResume, outcome.retry_after, why);
    }
  } else if (outcome.list.revision < cache_.revision()) {
    Regressed(outcome.list.revision);
  } else {
    Open(false);
  }
  listener_.OnFeedProgress();
}

void Feed::Open(bool rapid) {
  ++counters_.watches;
  const auto standing = std::chrono::duration_cast<seconds>(backoff_.Jitter(kStandingTimeout));
  const WatchStream::Start start{.from = proven_,
                                 .timeout = rapid ? kRapidTimeout : standing,
                                 .encoding = options_.encoding,
                                 .rapid = rapid};
  next_ = std::make_unique<WatchStream>(upstream_, path_, start,
                                        static_cast<WatchStream::Handler&>(*this));
  if (!stream_) Enter(State::kOpening);
}

void Feed::OnWatchOpen(WatchStream& stream) {
  if (&stream != next_.get()) return;
  stream_ = std::move(next_);
  opened_ = heard_ = home_.Now();
  if (fed_since_ == TimePoint()) {
    fed_since_ = opened_;
    Log(LogLevel::kInfo, "Feed watches",
        {{"resource", Name()}, {"revision", stream.start().from.value}});
  }
  suspected_ = refused_since_ = TimePoint();
  quiet_probe_.reset();
  home_.Cancel(std::exchange(judge_timer_, 0));
  if (dirty_ && publish_timer_ == 0) HoldFor(kMaxHold);
  replay_until_ = cache_.revision();
  bookmarked_ = false;
  Enter(State::kStreaming);
  SetCacheState(CacheState::kSynced);
  listener_.OnFeedProgress();
}

Status Feed::OnWatchFrame(WatchStream& stream, const WatchFrame& frame) {
  if (&stream != stream_.get()) return Internal("a frame of a stream that does not feed");
  return frame.type == FrameType::kBookmark ? TakeBookmark(frame) : TakeEvent(frame);
}

Status Feed::TakeBookmark(const WatchFrame& frame) {
  WEIR_ASSIGN_OR_RETURN(const Revision revision, IsProtobuf(options_.encoding)
                                                     ? ProtobufBookmarkRevision(frame.object)
                                                     : BookmarkRevision(frame.object));
  bookmarked_ = true;
  // A stream that began below ours may bring marks below it too: they say nothing new.
  if (revision < cache_.revision()) return OkStatus();
  deleted_last_ = false;
  if (revision > cache_.revision()) {
    WEIR_TRY(cache_.Advance(revision));
    dirty_ = true;
  }
  proven_ = revision;
  return OkStatus();
}

Status Feed::TakeEvent(const WatchFrame& frame) {
  WEIR_ASSIGN_OR_RETURN(const ScannedObject scanned, scanner_.Scan(frame.object));
  WEIR_TRY(CheckForm(frame, scanned));
  const Revision revision = scanned.revision;
  const bool replayed = Replayed(revision);
  if (replayed && (!options_.uncached || revision < cache_.revision())) return OkStatus();
  // What was held back is complete.
  if (publish_timer_ != 0 && revision > cache_.revision()) Publish();
  ObjectRef object = Object::Make(scanned, options_.encoding);
  const Status applied = cache_.Apply(frame.type == FrameType::kDeleted, object);
  if (absl::IsFailedPrecondition(applied)) {
    if (replayed) return OkStatus();
    missed_event_ = missed_event_ || !Known(*object);
  }
  WEIR_TRY(applied);
  ++counters_.events;
  dirty_ = true;
  open_.push_back(std::move(object));
  deleted_last_ = frame.type == FrameType::kDeleted;
  proven_ = options_.uncached ? std::max(proven_, Revision{revision.value - 1}) : revision;
  return OkStatus();
}

Status Feed::CheckForm(const WatchFrame& frame, const ScannedObject& scanned) {
  if (IsProtobuf(options_.encoding)) {
    const bool partial = options_.encoding == Encoding::kProtobufMetadata;
    const bool expected =
        partial ? frame.kind == "PartialObjectMetadata"
                : frame.kind == type_.kind && frame.api_version == type_.id.ApiVersion();
    if (expected) return OkStatus();
    return InvalidArgument(
        fmt::format("an event with an object of \"{}\" \"{}\"", frame.api_version, frame.kind));
  }
  const TypeForm& form = *cache_.snapshot().form;
  const bool fits = form.typed_items ? scanned.type_prefix.empty() && scanned.kind == type_.kind &&
                                           scanned.api_version == type_.id.ApiVersion()
                                     : scanned.type_prefix == type_prefix_;
  if (fits) return OkStatus();
  custom_ = scanned.type_prefix.empty();
  return InvalidArgument(
      fmt::format("an event with an object of \"{}\" \"{}\"", scanned.api_version, scanned.kind));
}

bool Feed::Replayed(Revision revision) const {
  return revision > stream_->start().from && revision <= replay_until_;
}

// Whether what came too late was seen before: the object has moved on since. If not, what came
// since lacks an event, and no difference can put it back in its place.
bool Feed::Known(const Object& late) const {
  const auto open = std::find_if(open_.rbegin(), open_.rend(), [&](const ObjectRef& object) {
    return object->key() == late.key();
  });
  const ObjectRef ours = open != open_.rend() ? *open : cache_.snapshot().tree.Find(late.key());
  return ours && ours->revision() == late.revision();
}

void Feed::OnWatchDrained(WatchStream& stream) {
  if (&stream != stream_.get()) return;
  heard_ = home_.Now();
  PublishWhole();
  Account();
  listener_.OnFeedProgress();
}

// Writes have a revision each, deletions by lease have one together. Who reads half of them takes
// the revision for complete.
bool Feed::MayLackMore() const { return options_.uncached && !open_.empty() && deleted_last_; }

void Feed::PublishWhole() {
  if (!MayLackMore()) return Publish();
  const TimePoint now = home_.Now();
  if (publish_timer_ == 0) held_since_ = now;
  HoldFor(std::clamp(held_since_ + kMaxHold - now, Duration(0), kLeaseEnds));
}

void Feed::PublishLast() {
  if (!MayLackMore()) return Publish();
  home_.Cancel(std::exchange(publish_timer_, 0));
}

void Feed::DiscardOpen() {
  home_.Cancel(std::exchange(publish_timer_, 0));
  open_.clear();
  if (std::exchange(dirty_, false)) cache_.Discard();
}

void Feed::HoldFor(Duration time) {
  if (publish_timer_ == 0) held_since_ = home_.Now();
  home_.Cancel(publish_timer_);
  publish_timer_ = home_.After(time, [this] {
    publish_timer_ = 0;
    Publish();
    listener_.OnFeedProgress();
  });
}

void Feed::Publish() {
  home_.Cancel(std::exchange(publish_timer_, 0));
  open_.clear();
  if (std::exchange(dirty_, false)) cache_.Publish();
}

void Feed::OnWatchEnd(WatchStream& stream, const WatchStream::End& end) {
  // What came with it is not published any more.
  if (std::exchange(missed_event_, false)) ForgetHistory();
  const WatchStream::Start start = stream.start();
  if (&stream == next_.get()) {
    next_.reset();
    // A stream that was only to replace a running one: that one goes on.
    if (!stream_) AfterEnd(start, end, Duration(0), Duration(0));
  } else {
    PublishLast();
    const Duration lived = home_.Now() - opened_;
    const Duration fed = home_.Now() - fed_since_;
    stream_.reset();
    if (fed >= kSettled) backoff_.Succeeded();
    const bool next_may_do =
        end.ending == WatchStream::Ending::kClean || end.ending == WatchStream::Ending::kBroken;
    if (next_ && next_may_do) {
      Enter(State::kOpening);
    } else {
      next_.reset();
      AfterEnd(start, end, lived, fed);
    }
  }
  listener_.OnFeedProgress();
}

void Feed::AfterEnd(const WatchStream::Start& start, const WatchStream::End& end, Duration lived,
                    Duration fed) {
  using Ending = WatchStream::Ending;
  const std::string why = fmt::format("WATCH: {}", end.status.ok() ? "ended" : Message(end.status));
  if (end.ending == Ending::kClean) {
    // By its own deadline, moments after it proved itself.
    if (start.rapid && lived >= start.timeout - std::chrono::milliseconds(200)) return Open(false);
    if (fed >= kSettled) return Resume();
  }
  if (has_history_) SetCacheState(CacheState::kBroken);
  reason_ = why;
  if (end.ending != Ending::kClean) {
    Log(LogLevel::kInfo, "Feed lost its stream", {{"resource", Name()}, {"why", why}});
  }
  switch (end.ending) {
    case Ending::kExpired:
    case Ending::kUnfit:
      return ListAgain();
    case Ending::kRefused:
      if (RefusesType(end.http)) return OnHttpRefusal(end.http, why);
      break;
    case Ending::kBroken:
      upstream_.SwitchEndpoint();
      if (fed >= kSettled) return Resume();
      break;
    case Ending::kClean:
    case Ending::kError:
      break;
  }
  Retry(Next::kResume, end.retry_after, why);
}

std::unique_ptr<ListLoad> Feed::Probe(ListLoad::Done done) {
  ++counters_.probes;
  ListLoad::Options options = LoadOptions();
  options.page_size = 1;
  options.first_page_only = true;
  options.head_timeout = seconds(3);
  return std::make_unique<ListLoad>(upstream_, path_, std::move(options), std::move(done));
}

std::unique_ptr<ListLoad> Feed::Check(ListLoad::Done done) {
  ++counters_.lists;
  ListLoad::Options options = LoadOptions();
  options.known = cache_.snapshot().tree;
  options.head_timeout = seconds(3);
  options.fits = [this](size_t bytes) { return memory_.budget().Fits(bytes); };
  return std::make_unique<ListLoad>(upstream_, path_, std::move(options), std::move(done));
}

ListLoad::Options Feed::LoadOptions() const {
  ListLoad::Options options;
  options.page_size = options_.page_size;
  options.fields = fields_;
  options.encoding = options_.encoding;
  return options;
}

void Feed::Hasten() {
  if (!streaming() || next_) return;
  const TimePoint now = home_.Now();
  if (stream_->start().rapid && !bookmarked_ && now - opened_ < kRapidOwes) return;
  if (now - hastened_ < kRapidInterval) return;
  hastened_ = now;
  Open(true);
}

void Feed::ListAgainWithin(Duration time) {
  if (list_again_timer_ != 0) return;
  list_again_timer_ = home_.After(backoff_.Jitter(time), [this] {
    list_again_timer_ = 0;
    if (has_history_ && state_ != State::kListing) BeginList();
  });
}

void Feed::Distrust(std::string_view why) {
  if (!has_history_ || state_ == State::kListing) return;
  Log(LogLevel::kError, "The cache differs from upstream", {{"resource", Name()}, {"why", why}});
  DropAll();
  SetCacheState(CacheState::kBroken);
  reason_ = why;
  ListAgain();
}

}  // namespace weir
