// Questions on their way to upstream: each distinct one once, a bounded number at a time, the
// answer to all who ask.
//
//   worker A: Ask(k) ─▶ flight k ─▶ A's ReviewClient ─▶ answer ─▶ judge (once) ─┬─ post ─▶ A: done
//   worker B: Ask(k) ───▶ joins k                                               └─ post ─▶ B: done
//   worker B: Ask(m) ─▶ all slots taken: queued ─ a slot frees ─ post ─▶ B ─▶ B's ReviewClient ─▶ …
//
// Two queues: what is familiar gets three of four slots that free, so that a storm of what nobody
// has heard of before keeps it waiting for no longer than that takes, nor the other way round. No
// owner gets more than a share of the questions.
//
// A ReviewClient is used on the worker it came from only. A failure that may pass (no connection,
// 429, 5xx) is tried again after 0.2, 0.5 and 1 s. Whoever asked hears within `max_wait`, whatever
// became of the worker that leads the flight: each waiter has a timer of its own.
//
// Thread-safe. Executors and clients must live until the object is gone or their loops have
// stopped; the object must live until the loops have stopped.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "protocol/base/executor.h"
#include "proxy/auth/identity.h"
#include "proxy/auth/review_client.h"

namespace weir {

// What a review came to.
struct ReviewOutcome {
  enum class Kind : uint8_t { kPositive, kNegative, kUnavailable };
  Kind kind = Kind::kUnavailable;
  IdentityRef identity;  // TokenReview, kPositive.
  std::string reason;    // SubjectAccessReview: upstream's words.
};

class ReviewFlights {
 public:
  struct Limits {
    size_t max_in_flight;
    // Who have asked and not been answered: of the familiar ones, and of all others.
    size_t max_waiting;
    size_t max_questions_each = SIZE_MAX;  // Distinct ones of one owner.
    Duration max_wait = std::chrono::seconds(15);
  };
  // Judges an answer (and remembers the verdict), once per flight, on the leader's worker.
  using Judge = std::function<ReviewOutcome(const StatusOr<ReviewAnswer>&, TimePoint now)>;
  using Done = absl::AnyInvocable<void(ReviewOutcome)>;
  struct Question {
    std::string key;  // Equal keys are the same question.
    std::string path;
    std::function<std::string()> body;  // Called only if a flight begins, inside Ask().
    Judge judge;
    std::string owner = {};  // Whose share it takes; empty: nobody's.
    // Likely to be answered well: asked before all others, and has room that those do not get.
    bool familiar = false;
  };

  explicit ReviewFlights(Limits limits);
  ~ReviewFlights();
  ReviewFlights(const ReviewFlights&) = delete;
  ReviewFlights& operator=(const ReviewFlights&) = delete;

  // Calls `done` later on `caller`, on whose thread this is. False, and `done` is dropped: too many
  // wait.
  bool Ask(Question question, Executor& caller, ReviewClient& reviews, Done done);

  size_t in_flight() const;
  size_t waiting() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace weir
