// The one upstream LIST + WATCH of a resource, which keeps its Cache: the only place where
// upstream's faults are met.
//
//   Start ─▶ Listing ─▶ Opening ─▶ Streaming ──────── 410, disorder ────────▶ Listing
//   (resynchronise)
//               ▲          ▲           │ end
//               │ refused  │ R ≥ ours  ▼
//            Refused    Probing ◀── (Waiting: back-off) ── failures of any of them
//                          │ R < ours: restored etcd
//                          └─▶ Listing (everything dropped)
//
// A probe (LIST limit=1) comes before a watch is resumed, since a watch from a revision that
// upstream has not reached is accepted and stays silent. One stream feeds the cache at a time; a
// newer one replaces it when its head arrives.
//
// Thread-affine to the home executor. The owner keeps executor, upstream, cache and listener alive
// longer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/backoff.h"
#include "cache/cache.h"
#include "cache/list_load.h"
#include "cache/list_watcher.h"
#include "cache/memory_budget.h"
#include "cache/watch_stream.h"
#include "protocol/base/executor.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/resource.h"

namespace weir {

// Who wants to know how a feed goes. Called on the home executor; must not destroy the feed inside.
class FeedListener {
 public:
  virtual ~FeedListener() = default;
  // All that was readable has been published, the state of the cache or of the stream may have
  // changed.
  virtual void OnFeedProgress() = 0;
  // Upstream answers 404: the type may be gone.
  virtual void OnTypeMissing() = 0;
  // What the feed has, or is about to have, does not fit beside the others'. Whether some of theirs
  // is being given up, so that it is worth another try in a while.
  virtual bool OnMemoryShort() = 0;
};

class Feed final : private WatchStream::Handler {
 public:
  struct Options {
    uint64_t page_size = 10000;
    Encoding encoding = Encoding::kJson;
    bool custom = false;  // A custom resource: its list items carry kind and apiVersion.
    // What selectors may name; null: what they may of the built-in type.
    std::shared_ptr<const SelectableFields> fields{};
    // As of IsUncachedUpstream(): the stream brings no bookmarks, and several keys may change at
    // one revision.
    bool uncached = false;
    bool strict_resync = false;  // End all watches after a resynchronisation.
    uint64_t seed = 1;           // Of the jitter.
  };
  struct Counters {
    uint64_t lists = 0, watches = 0, probes = 0, events = 0, resyncs = 0, regressions = 0;
  };
  enum class State : uint8_t {
    kIdle,       // Not started, or stopped.
    kListing,    // The first LIST, or one beside the live store.
    kProbing,    // Asks for upstream's revision before it resumes.
    kOpening,    // A watch has been asked for; its head has not come.
    kStreaming,  // A watch delivers.
    kWaiting,    // Backs off.
    kRefused,    // Upstream refuses, or it does not fit; asked again after a minute, or never.
  };

  Feed(Executor& home, ListWatcher& upstream, Cache& cache, std::shared_ptr<MemoryBudget> budget,
       ResourceType type, Options options, FeedListener& listener);
  ~Feed() override;
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  void Start();
  // Ends everything; the cache keeps what it has.
  void Stop();

  State state() const { return state_; }
  bool streaming() const { return state_ == State::kStreaming; }
  // The stream has delivered every event up to it.
  Revision proven() const { return proven_; }
  const Counters& counters() const { return counters_; }
  // Why it is not synced, for a person; empty when it is.
  const std::string& reason() const { return reason_; }
  const ResourceType& type() const { return type_; }
  bool uncached() const { return options_.uncached; }

  // For proofs of freshness (freshness.h).
  // A consistent LIST of one item, which names upstream's revision; and one of all items.
  std::unique_ptr<ListLoad> Probe(ListLoad::Done done);
  std::unique_ptr<ListLoad> Check(ListLoad::Done done);
  // Replaces the stream by one that brings a bookmark within about a second, unless one that still
  // owes it is running. Rate-limited; does nothing when there is no stream.
  void Hasten();
  // Upstream named a revision below the one that the cache had before it was asked: its etcd was
  // restored.
  void Regressed(Revision upstream);
  // What is here is not what upstream has at the same revision: a defect somewhere. Lists anew.
  void Distrust(std::string_view why);
  // Lists beside the live store at some moment within `time`.
  void ListAgainWithin(Duration time);

 private:
  enum class Next : uint8_t { kList, kResume };

  // Listing.
  void BeginList();
  void OnListed(ListOutcome outcome);
  void OnListFailed(const ListOutcome& outcome);
  void Adopt(LoadedList list);
  std::shared_ptr<const TypeForm> FormOf(const LoadedList& list) const;
  // Lists anew at once, or after a pause where the last LIST was a moment ago.
  void ListAgain();

  // Watching.
  void Resume();
  void OnProbed(const ListOutcome& outcome);
  void Open(bool rapid);
  void OnWatchOpen(WatchStream& stream) override;
  Status OnWatchFrame(WatchStream& stream, const WatchFrame& frame) override;
  void OnWatchDrained(WatchStream& stream) override;
  void OnWatchEnd(WatchStream& stream, const WatchStream::End& end) override;
  Status TakeBookmark(const WatchFrame& frame);
  Status TakeEvent(const WatchFrame& frame);
  Status CheckForm(const WatchFrame& frame, const ScannedObject& scanned);
  // For logs: "v1/pods", "v1/pods (protobuf)".
  std::string Name() const;
  // Whether the stream before this one has delivered it already.
  bool Replayed(Revision revision) const;
  bool Known(const Object& late) const;
  // `lived` is the stream's own time, `fed` that of all that followed each other without a break.
  void AfterEnd(const WatchStream::Start& start, const WatchStream::End& end, Duration lived,
                Duration fed);
  void Publish();
  // Whether more may come of the revision that came last.
  bool MayLackMore() const;
  // Publishes, or in a moment where that revision may lack more.
  void PublishWhole();
  // Publishes what a stream that ends has delivered; what may lack more waits for the next stream.
  void PublishLast();
  void HoldFor(Duration time);
  // What was held back and is in the LIST that has come instead.
  void DiscardOpen();

  // Trouble.
  void Retry(Next next, Duration retry_after, std::string_view why);
  void OnHttpRefusal(int http, std::string_view why);
  void Refuse(std::string_view why, bool for_good);
  void DropAll();
  void ForgetHistory();
  void Enter(State state);
  void SetCacheState(CacheState state);
  void ArmTick();
  void OnTick();
  void OnQuietProbe(const ListOutcome& outcome);
  // Of a type without bookmarks a LIST tells whether a quiet stream is deaf; and if not, that it
  // has reached the LIST's revision.
  void CheckQuietStream();
  void OnQuietList(ListOutcome outcome);
  void JudgeQuietStream(const LoadedList& list);
  void GoSilent();
  // Whether memory allows what the cache holds now; refuses the feed if not.
  bool Account();
  ListLoad::Options LoadOptions() const;

  Executor& home_;
  ListWatcher& upstream_;
  Cache& cache_;
  const ResourceType type_;
  const Options options_;
  const std::string path_;
  const std::string type_prefix_;  // Of JSON.
  const std::shared_ptr<const SelectableFields> fields_;
  FeedListener& listener_;
  MemoryBudget::Share memory_;
  Backoff backoff_;
  const MetadataScanner scanner_;

  State state_ = State::kIdle;
  std::string reason_;
  Counters counters_;
  bool has_history_ = false;
  bool did_not_fit_ = false;  // The last LIST.
  bool custom_;               // As configured, or as the first object showed.
  Revision proven_;

  std::unique_ptr<ListLoad> list_, probe_, quiet_probe_;
  std::unique_ptr<WatchStream> stream_;  // Feeds the cache.
  std::unique_ptr<WatchStream> next_;    // Replaces it when its head arrives.
  Revision replay_until_;        // What `stream_` brings up to it came by its predecessor already.
  bool dirty_ = false;           // Something is applied and not published:
  std::vector<ObjectRef> open_;  // these changes, or a bookmark.
  bool missed_event_ = false;    // One came after later ones.
  bool deleted_last_ = false;    // The last of `open_`.
  TimePoint held_since_;         // Since when `publish_timer_` holds them back.
  bool bookmarked_ = false;      // `stream_` has brought a bookmark.

  TimePoint opened_;     // When `stream_` began.
  TimePoint fed_since_;  // When the first began of the streams without a break; the epoch: none.
  TimePoint heard_;      // When it last brought bytes.
  TimePoint listed_;     // When the last LIST was asked for.
  TimePoint hastened_;
  TimePoint refused_since_;  // First refusal since it last streamed; the epoch: none.
  TimePoint suspected_;      // When a probe showed that the quiet stream lags; the epoch: not.
  Revision quiet_revision_;  // The cache's when the quiet probe was sent,
  TimePoint quiet_asked_;    // which was then.
  TimePoint quiet_due_;      // When the next LIST may prove that a quiet stream lacks nothing.
  Executor::TimerId retry_timer_ = 0, tick_timer_ = 0, list_again_timer_ = 0;
  Executor::TimerId publish_timer_ = 0, judge_timer_ = 0;
};

std::string_view ToString(Feed::State state);

}  // namespace weir
