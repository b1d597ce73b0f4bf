// All that one resource has on its home worker: the connection, the Cache, its Feed, and the
// proofs.
//
//   ListWatcher ◀── Feed ──▶ Cache ──▶ Replica … (one per worker that reads)
//                    ▲          ▲           │
//                    └─ Freshness ◀─ Prove ─┘
//
// Made on any thread, lives on the home executor from Start() to Stop(). Functions are thread-safe
// unless said.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cache/cache.h"
#include "cache/feed.h"
#include "cache/freshness.h"
#include "cache/list_watcher.h"
#include "cache/memory_budget.h"
#include "cache/registry.h"
#include "cache/replica.h"
#include "protocol/base/mutex.h"

namespace weir {

class FeedHome final : public std::enable_shared_from_this<FeedHome>, private FeedListener {
 public:
  struct Options {
    Feed::Options feed;
    Cache::Limits log;
    Freshness::Limits freshness;
    // On the home executor, after everything that may have changed the cache.
    std::function<void(const Cache&)> on_progress;
    std::function<void()> on_type_missing;
    std::function<bool()> on_memory_short;  // See FeedListener.
  };
  using MakeUpstream = std::function<std::unique_ptr<ListWatcher>()>;

  FeedHome(Executor& home, MakeUpstream make_upstream, ResourceType type, Options options,
           std::shared_ptr<MemoryBudget> budget);
  ~FeedHome() override;

  void Start();
  // Ends all watches with 410, makes the replicas forward, and lets go of them. Keeps itself alive
  // until done, then calls `released` on the home executor.
  void Stop(std::function<void()> released);

  // Lists beside the live store some time within the next minute: not all feeds at once.
  void ListAgain();
  void AddReader(std::shared_ptr<Replica> replica);
  std::shared_ptr<ProofSource> proofs() const { return freshness_; }
  FeedStatus Status() const ABSL_LOCKS_EXCLUDED(mutex_);
  const ResourceType& type() const { return type_; }
  Encoding encoding() const { return options_.feed.encoding; }

 private:
  void OnFeedProgress() override;
  void OnTypeMissing() override;
  bool OnMemoryShort() override;
  void StopHere();
  void PublishStatus() ABSL_LOCKS_EXCLUDED(mutex_);

  Executor& home_;
  const ResourceType type_;
  const Options options_;
  const std::shared_ptr<MemoryBudget> budget_;
  const std::shared_ptr<Freshness> freshness_;
  MakeUpstream make_upstream_;

  // Home only.
  Cache cache_;
  std::unique_ptr<ListWatcher> upstream_;
  std::unique_ptr<Feed> feed_;
  std::vector<std::shared_ptr<Replica>> readers_;
  bool stopped_ = false;

  mutable Mutex mutex_;
  FeedStatus status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weir
