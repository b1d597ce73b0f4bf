// Proofs that a cache is not behind upstream, for reads that ask for the most recent state (design,
// section 7).
//
//   read ─▶ queued ─▶ probe (LIST limit=1) names R ─▶ our own stream reaches R ─▶ true
//                                                  └─ quiet, small: one LIST of all ─▶ same states
//                                                  ─▶ true └─ quiet, large: Feed::Hasten, a
//                                                  bookmark in about a second
//   3 s after it came ─▶ false: forward
//
// All reads share one probe at a time; a read may use a probe only if that probe was sent after the
// read came. The proof is always our own stream (or equal states), whichever API server answered
// the probe.
//
// Prove() is thread-safe; all else is thread-affine to the home executor. Replicas keep it alive
// beyond the feed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cache/cache.h"
#include "cache/feed.h"
#include "cache/list_load.h"
#include "cache/replica.h"
#include "protocol/base/executor.h"

namespace weir {

class Freshness final : public ProofSource, public std::enable_shared_from_this<Freshness> {
 public:
  struct Limits {
    Duration wait = std::chrono::seconds(3);  // Then a read is forwarded.
    // How long the stream alone may take after a probe: with events a moment ago, and without.
    Duration busy_grace = std::chrono::milliseconds(100);
    Duration quiet_grace = std::chrono::milliseconds(25);
    size_t small_bytes = size_t{1}
                         << 20;  // Of all items: below, a whole LIST is quicker than a bookmark.
    size_t max_waiters = 20000;  // More are answered false at once.
  };
  struct Counters {
    uint64_t at_once = 0;  // R was what we had.
    uint64_t by_stream = 0;
    uint64_t by_list = 0;
    uint64_t failed = 0;
  };

  Freshness(Executor& home, Limits limits) : home_(home), limits_(limits) {}
  ~Freshness() override = default;

  // From then on proofs are possible; both outlive the next Detach(). `answered` is called whenever
  // counters() have changed.
  void Attach(Feed& feed, Cache& cache, std::function<void()> answered = {});
  // Answers false to all that wait, and to all that come.
  void Detach();

  void Prove(Revision at_least, Executor& caller, absl::AnyInvocable<void(bool)> done) override;

  // From the feed: all batches so far are published; it may have lost, or got, its stream.
  void OnProgress();

  const Counters& counters() const { return counters_; }

 private:
  struct Waiter {
    TimePoint deadline;
    Executor* caller;
    absl::AnyInvocable<void(bool)> done;
  };
  // Reads that wait for the same revision.
  struct Group {
    Revision target;
    bool most_recent = false;  // Equal states answer it; else only the stream does.
    TimePoint since;
    uint64_t number = 0;
    std::vector<Waiter> waiters;
  };

  void Arrive(Revision at_least, Waiter waiter);
  void StartProbe();
  void OnProbed(const ListOutcome& outcome);
  void AddGroup(Revision target, bool most_recent, std::vector<Waiter> waiters);
  // Answers the groups that the stream has reached.
  void AnswerReached(uint64_t Counters::* counter);
  // Helps the stream on where it alone takes too long.
  void Nudge();
  void StartCheck();
  void OnChecked(const ListOutcome& outcome);
  bool Small() const;
  Duration Grace() const;

  void Answer(std::vector<Waiter>& waiters, bool fresh);
  void Expire();
  void ExpireOf(std::vector<Waiter>& waiters, TimePoint now);
  void ArmTimer();
  size_t waiting() const;

  Executor& home_;
  const Limits limits_;
  Feed* feed_ = nullptr;
  Cache* cache_ = nullptr;
  std::function<void()> answered_;
  Counters counters_;

  std::vector<Waiter> queued_;   // Came after the running probe was sent.
  std::vector<Waiter> probing_;  // Wait for the running probe.
  std::vector<Group> groups_;    // Wait for the stream.
  std::unique_ptr<ListLoad> probe_, check_;
  Revision before_probe_;  // The cache's when the running probe was sent.
  Revision before_check_;
  uint64_t last_group_ = 0;
  uint64_t check_covers_ = 0;  // Groups up to it came before the running check was sent.
  uint64_t differed_ =
      0;  // Groups up to it were checked and found other states: only the stream can answer.
  TimePoint retry_probe_;  // Not before; after a failed one.
  TimePoint retry_check_;
  Executor::TimerId timer_ = 0;
};

}  // namespace weir
