#include "bench/sim/watch.h"

#include <algorithm>

#include "protocol/k8s/watch_frame.h"

namespace weir::sim {
namespace {

constexpr auto kBookmarkInterval = std::chrono::seconds(60);
constexpr auto kLastBookmark = std::chrono::seconds(2);  // Before the deadline.

}  // namespace

Watch::Watch(std::shared_ptr<Collection> collection, WatchOptions options)
    : collection_(std::move(collection)), options_(std::move(options)) {
  collection_->watches().insert(this);
  if (options_.initial) {
    initial_ = collection_->Now();
    cursor_ = initial_->tree.LowerBound(options_.selection.KeyRange().first);
    next_ = collection_->end_sequence();
    told_ = initial_->revision;
    ScheduleBookmark(options_.begin, options_.begin);
    return;
  }
  told_ = options_.from;
  ScheduleBookmark(options_.begin + kBookmarkInterval, options_.begin);
  if (const auto sequence = collection_->SequenceAfter(options_.from)) {
    next_ = *sequence;
  } else {
    next_ = collection_->end_sequence();
    Fail(ApiError::WatchExpired(options_.from.value, collection_->oldest().value));
  }
}

Watch::~Watch() { collection_->watches().erase(this); }

bool Watch::idle() const {
  return ending_ == Ending::kReset || (!initial_ && extra_.empty() && next_ >= limit());
}

bool Watch::Concerns(const Change& change) const {
  const LogEvent& event = change.event();
  if (event.revision <= told_) return false;  // Asked to begin in the future.
  return options_.selection.Matches(*event.object) ||
         (event.previous && options_.selection.Matches(*event.previous));
}

void Watch::OnChange(uint64_t sequence) {
  // A watcher that is up to date steps over what does not concern it without being woken.
  const Change& change = collection_->change(sequence);
  if (!initial_ && next_ == sequence && !Concerns(change)) {
    ++next_;
    told_ = std::max(told_, change.event().revision);
    return;
  }
  Wake();
}

void Watch::TakeInitial(size_t max_bytes, std::string& out) {
  const std::string end = options_.selection.KeyRange().second;
  const size_t begin = out.size();
  for (; cursor_.Valid() && (end.empty() || cursor_->key() < end); cursor_.Next()) {
    if (out.size() - begin >= max_bytes) return;
    if (options_.selection.Matches(*cursor_)) {
      out += EventFrame(kAddedPrefix, *collection_->form(), *cursor_);
    }
  }
  if (options_.end_mark) Bookmark(told_, true);
  initial_.reset();
}

void Watch::TakeChange(const Change& change, std::string& out) {
  const LogEvent& event = change.event();
  if (event.revision <= told_) return;
  told_ = event.revision;
  const bool before = event.previous && options_.selection.Matches(*event.previous);
  if (event.type == EventType::kDeleted) {
    if (before) out += change.Frame(Change::Form::kDeleted);
    return;
  }
  const bool after = options_.selection.Matches(*event.object);
  if (after) out += change.Frame(before ? Change::Form::kModified : Change::Form::kAdded);
  if (before && !after) out += change.Frame(Change::Form::kLeft);
}

void Watch::Take(size_t max_bytes, std::string& out) {
  const size_t begin = out.size();
  if (initial_) {
    TakeInitial(max_bytes, out);
    if (initial_) return;
  }
  if (next_ < collection_->first_sequence()) {
    // The history has moved past it: a clean end without a word, as upstream.
    extra_.clear();
    End(Ending::kClean);
    next_ = last_;
    return;
  }
  // The mark of the initial events comes before what happened since.
  out += extra_;
  extra_.clear();
  for (const uint64_t end = limit(); next_ < end && out.size() - begin < max_bytes;) {
    TakeChange(collection_->change(next_), out);
    ++next_;
  }
}

void Watch::ScheduleBookmark(TimePoint earliest, TimePoint now) {
  const TimePoint last = options_.deadline - kLastBookmark;
  next_bookmark_ = last <= now ? TimePoint::max() : std::min(earliest, last);
}

void Watch::Tick(TimePoint now) {
  if (!options_.bookmarks || initial_ || ending_ || now < next_bookmark_) return;
  // Not while something earlier is still unwritten, and only when there is news.
  if (next_ < limit() || collection_->cache_revision() <= told_) return;
  told_ = collection_->cache_revision();
  ScheduleBookmark(now + kBookmarkInterval, now);
  Bookmark(told_, false);
  Wake();
}

void Watch::Bookmark(Revision revision, bool end_mark) {
  const TypeSpec& spec = collection_->spec();
  extra_ += BookmarkFrame(spec.kind, spec.id.ApiVersion(), spec.custom, revision, end_mark);
}

void Watch::Fail(const ApiError& error) {
  extra_ += ErrorFrame(error);
  initial_.reset();
  next_ = collection_->end_sequence();
  End(Ending::kClean);
}

void Watch::End(Ending ending) {
  ending_ = ending;
  last_ = collection_->end_sequence();
  Wake();
}

}  // namespace weir::sim
