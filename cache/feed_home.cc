#include "cache/feed_home.h"

#include <utility>

namespace weir {

FeedHome::FeedHome(Executor& home, MakeUpstream make_upstream, ResourceType type, Options options,
                   std::shared_ptr<MemoryBudget> budget)
    : home_(home),
      type_(std::move(type)),
      options_(std::move(options)),
      budget_(std::move(budget)),
      freshness_(std::make_shared<Freshness>(home, options_.freshness)),
      make_upstream_(std::move(make_upstream)),
      cache_(home, options_.log) {
  status_.id = type_.id;
  status_.encoding = options_.feed.encoding;
  status_.state = CacheState::kStarting;
  status_.reason = "starting";
}

FeedHome::~FeedHome() = default;

void FeedHome::Start() {
  home_.Post([self = shared_from_this()] {
    if (self->stopped_) return;
    self->upstream_ = self->make_upstream_();
    self->feed_ =
        std::make_unique<Feed>(self->home_, *self->upstream_, self->cache_, self->budget_,
                               self->type_, self->options_.feed, static_cast<FeedListener&>(*self));
    self->freshness_->Attach(*self->feed_, self->cache_,
                             [home = self.get()] { home->PublishStatus(); });
    self->feed_->Start();
  });
}

void FeedHome::Stop(std::function<void()> released) {
  home_.Post([self = shared_from_this(), released = std::move(released)] {
    self->StopHere();
    // What the cache posts to itself comes before this.
    self->home_.Post([self, released] { released(); });
  });
}

void FeedHome::StopHere() {
  if (std::exchange(stopped_, true)) return;
  freshness_->Detach();
  if (feed_) feed_->Stop();
  // First the state, which ends watches cleanly, as upstream does when a type changes or goes; then
  // what they read.
  cache_.SetState(CacheState::kRefused);
  cache_.Invalidate();
  cache_.SetState(CacheState::kRefused);
  for (const std::shared_ptr<Replica>& reader : readers_) cache_.Unsubscribe(reader.get());
  feed_.reset();
  upstream_.reset();
  PublishStatus();
}

void FeedHome::ListAgain() {
  home_.Post([self = shared_from_this()] {
    if (self->feed_) self->feed_->ListAgainWithin(std::chrono::minutes(1));
  });
}

void FeedHome::AddReader(std::shared_ptr<Replica> replica) {
  home_.Post([self = shared_from_this(), replica = std::move(replica)]() mutable {
    if (self->stopped_) {
      // Too late: it learns that it has to forward, in the same way as those before it.
      self->cache_.Subscribe(replica);
      self->cache_.Unsubscribe(replica.get());
      return;
    }
    self->cache_.Subscribe(replica);
    self->readers_.push_back(std::move(replica));
  });
}

void FeedHome::OnFeedProgress() {
  freshness_->OnProgress();
  PublishStatus();
  if (options_.on_progress) options_.on_progress(cache_);
}

void FeedHome::OnTypeMissing() {
  if (options_.on_type_missing) options_.on_type_missing();
}

bool FeedHome::OnMemoryShort() { return options_.on_memory_short && options_.on_memory_short(); }

FeedStatus FeedHome::Status() const {
  const MutexLock lock(mutex_);
  return status_;
}

void FeedHome::PublishStatus() {
  const MutexLock lock(mutex_);
  status_.state = cache_.state();
  status_.revision = cache_.revision();
  status_.published = cache_.snapshot().revision;
  status_.objects = cache_.snapshot().tree.sums().objects;
  status_.object_bytes = cache_.object_bytes();
  status_.log_bytes = cache_.log_bytes();
  if (!feed_) {
    status_.reason = "ended";
    return;
  }
  if (cache_.state() == CacheState::kSynced) {
    status_.reason.clear();
  } else {
    status_.reason =
        feed_->reason().empty() ? std::string(ToString(feed_->state())) : feed_->reason();
  }
  const Feed::Counters& counters = feed_->counters();
  status_.lists = counters.lists;
  status_.watches = counters.watches;
  status_.probes = counters.probes;
  status_.events = counters.events;
  status_.resyncs = counters.resyncs;
  status_.regressions = counters.regressions;
  const Freshness::Counters& proofs = freshness_->counters();
  status_.proofs = proofs.at_once + proofs.by_stream + proofs.by_list;
  status_.proofs_failed = proofs.failed;
}

}  // namespace weir
