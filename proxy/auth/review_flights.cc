#include "proxy/auth/review_flights.h"

#include <array>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "protocol/base/mutex.h"
#include "proxy/auth/keyed_hash.h"
#include "proxy/auth/review_answer.h"

namespace weir {
namespace {

constexpr std::array<Duration, 3> kRetryDelays = {
    std::chrono::milliseconds(200), std::chrono::milliseconds(500), std::chrono::seconds(1)};

// One who asked. All of it but `executor` belongs to that executor's thread.
struct Waiter {
  Executor* executor = nullptr;
  Executor::TimerId timer = 0;
  ReviewFlights::Done done;

  // Only the first outcome counts.
  void Finish(ReviewOutcome outcome) {
    if (!done) return;
    executor->Cancel(std::exchange(timer, 0));
    std::exchange(done, nullptr)(std::move(outcome));
  }
};

// A question under way. Immutable but for what State's mutex guards.
struct Flight {
  std::string key;
  std::string path;
  std::string body;
  ReviewFlights::Judge judge;
  Executor* executor = nullptr;  // The leader's, and its client.
  ReviewClient* reviews = nullptr;
  TimePoint asked;
  std::string owner;
  bool familiar = false;

  // Guarded by State::mutex.
  bool started = false;
  std::optional<std::list<std::shared_ptr<Flight>>::iterator> queued;  // Its place in a queue.
  bool over = false;  // Answered or given up; what still comes is ignored.
  std::vector<std::shared_ptr<Waiter>> waiters;
};
using FlightRef = std::shared_ptr<Flight>;

struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};

}  // namespace

struct ReviewFlights::State : std::enable_shared_from_this<ReviewFlights::State> {
  explicit State(Limits l) : limits(l) {}

  // What must happen after the mutex is released.
  struct Effects {
    std::vector<std::pair<FlightRef, std::vector<std::shared_ptr<Waiter>>>> given_up;
    std::vector<FlightRef> start;
  };

  bool Ask(Question question, Executor& caller, ReviewClient& reviews, Done done);
  FlightRef Join(Question& question, Executor& caller, ReviewClient& reviews,
                 const std::shared_ptr<Waiter>& waiter, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  bool HasRoom(const Question& question) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Of those that are queued the next to be asked; null: none.
  FlightRef TakeQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Ends `flight`, frees its slot for the next in the queue, and returns those who wait for it.
  std::vector<std::shared_ptr<Waiter>> End(const FlightRef& flight, Effects& effects)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Reap(TimePoint now, Effects& effects) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Carry(const Effects& effects, const Flight* own);

  void Send(const FlightRef& flight, size_t attempt);
  void OnAnswer(const FlightRef& flight, size_t attempt, const StatusOr<ReviewAnswer>& answer);
  void OnTimeout(const FlightRef& flight, const std::shared_ptr<Waiter>& waiter);
  static void Deliver(const std::vector<std::shared_ptr<Waiter>>& waiters,
                      const ReviewOutcome& outcome);

  const Limits limits;

  Mutex mutex;
  absl::flat_hash_map<std::string, FlightRef, KeyedHash, StringEqual> flights
      ABSL_GUARDED_BY(mutex);
  // By whether they are familiar: not started, oldest first.
  std::array<std::list<FlightRef>, 2> queues ABSL_GUARDED_BY(mutex);
  unsigned turn ABSL_GUARDED_BY(mutex) = 0;
  TimePoint next_reap ABSL_GUARDED_BY(mutex);
  size_t in_flight ABSL_GUARDED_BY(mutex) = 0;
  std::array<size_t, 2> waiting ABSL_GUARDED_BY(mutex) = {};  // By whether they are familiar.
  absl::flat_hash_map<std::string, size_t, KeyedHash, StringEqual> questions_of
      ABSL_GUARDED_BY(mutex);  // By owner.
};

bool ReviewFlights::State::Ask(Question question, Executor& caller, ReviewClient& reviews,
                               Done done) {
  auto waiter = std::make_shared<Waiter>();
  waiter->executor = &caller;
  Effects effects;
  FlightRef flight;
  {
    const MutexLock lock(mutex);
    if (!HasRoom(question)) Reap(caller.Now(), effects);
    if (HasRoom(question)) flight = Join(question, caller, reviews, waiter, effects);
  }
  if (flight != nullptr) {
    waiter->done = std::move(done);
    waiter->timer = caller.After(limits.max_wait, [weak = weak_from_this(), flight, waiter] {
      waiter->timer = 0;
      if (const auto self = weak.lock()) self->OnTimeout(flight, waiter);
    });
  }
  // Only now: the client might answer inside the call.
  Carry(effects, flight.get());
  return flight != nullptr;
}

FlightRef ReviewFlights::State::Join(Question& question, Executor& caller, ReviewClient& reviews,
                                     const std::shared_ptr<Waiter>& waiter, Effects& effects) {
  if (const auto it = flights.find(question.key); it != flights.end()) {
    it->second->waiters.push_back(waiter);
    ++waiting[it->second->familiar];
    return it->second;
  }
  auto flight = std::make_shared<Flight>();
  flight->key = question.key;
  flight->path = std::move(question.path);
  flight->body = question.body();
  flight->judge = std::move(question.judge);
  flight->executor = &caller;
  flight->reviews = &reviews;
  flight->asked = caller.Now();
  flight->owner = std::move(question.owner);
  flight->familiar = question.familiar;
  flight->waiters.push_back(waiter);
  ++waiting[flight->familiar];
  if (!flight->owner.empty()) ++questions_of[flight->owner];
  flights.emplace(std::move(question.key), flight);
  if (in_flight >= limits.max_in_flight) Reap(caller.Now(), effects);
  if (in_flight < limits.max_in_flight) {
    ++in_flight;
    flight->started = true;
    effects.start.push_back(flight);
  } else {
    std::list<FlightRef>& queue = queues[flight->familiar];
    flight->queued = queue.insert(queue.end(), flight);
  }
  return flight;
}

bool ReviewFlights::State::HasRoom(const Question& question) const {
  if (waiting[question.familiar] >= limits.max_waiting) return false;
  const auto mine = questions_of.find(question.owner);
  return mine == questions_of.end() || mine->second < limits.max_questions_each ||
         flights.contains(question.key);
}

FlightRef ReviewFlights::State::TakeQueued() {
  // Of four slots strangers get one, so that a familiar crowd does not keep them out for ever.
  const bool strangers_turn = ++turn % 4 == 0;
  for (auto* const queue : {&queues[!strangers_turn], &queues[strangers_turn]}) {
    if (queue->empty()) continue;
    FlightRef next = std::move(queue->front());
    queue->pop_front();
    next->queued.reset();
    return next;
  }
  return nullptr;
}

std::vector<std::shared_ptr<Waiter>> ReviewFlights::State::End(const FlightRef& flight,
                                                               Effects& effects) {
  flight->over = true;
  flights.erase(flight->key);
  waiting[flight->familiar] -= flight->waiters.size();
  if (const auto mine = questions_of.find(flight->owner);
      mine != questions_of.end() && --mine->second == 0)
    questions_of.erase(mine);
  if (flight->queued) queues[flight->familiar].erase(*std::exchange(flight->queued, {}));
  if (flight->started) --in_flight;
  while (in_flight < limits.max_in_flight) {
    FlightRef next = TakeQueued();
    if (next == nullptr) break;
    ++in_flight;
    next->started = true;
    effects.start.push_back(std::move(next));
  }
  return std::exchange(flight->waiters, {});
}

// A flight whose worker has died holds its slot only until someone needs it.
void ReviewFlights::State::Reap(TimePoint now, Effects& effects) {
  if (now < next_reap) return;  // Each costs a walk over all.
  next_reap = now + std::chrono::seconds(1);
  std::vector<FlightRef> old;
  for (const auto& [key, flight] : flights) {
    if (now - flight->asked > limits.max_wait + std::chrono::seconds(1)) old.push_back(flight);
  }
  for (const FlightRef& flight : old) {
    std::vector<std::shared_ptr<Waiter>> waiters = End(flight, effects);
    effects.given_up.emplace_back(flight, std::move(waiters));
  }
}

// `own`: the flight that the calling thread leads, so that its client may be called here.
void ReviewFlights::State::Carry(const Effects& effects, const Flight* own) {
  for (const auto& [flight, waiters] : effects.given_up) Deliver(waiters, ReviewOutcome{});
  for (const FlightRef& flight : effects.start) {
    if (flight.get() == own) {
      Send(flight, 0);
      continue;
    }
    flight->executor->Post([weak = weak_from_this(), flight] {
      if (const auto self = weak.lock()) self->Send(flight, 0);
    });
  }
}

void ReviewFlights::State::Send(const FlightRef& flight, size_t attempt) {
  {
    const MutexLock lock(mutex);
    if (flight->over) return;
  }
  flight->reviews->Post(
      flight->path, flight->body,
      [weak = weak_from_this(), flight, attempt](const StatusOr<ReviewAnswer>& answer) {
        if (const auto self = weak.lock()) self->OnAnswer(flight, attempt, answer);
      });
}

void ReviewFlights::State::OnAnswer(const FlightRef& flight, size_t attempt,
                                    const StatusOr<ReviewAnswer>& answer) {
  if (attempt < kRetryDelays.size() && MayRetry(answer)) {
    flight->executor->After(kRetryDelays[attempt], [weak = weak_from_this(), flight, attempt] {
      if (const auto self = weak.lock()) self->Send(flight, attempt + 1);
    });
    return;
  }
  {
    const MutexLock lock(mutex);
    if (flight->over) return;  // Given up: a verdict that late must not be remembered either.
  }
  const ReviewOutcome outcome = flight->judge(answer, flight->executor->Now());
  Effects effects;
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const MutexLock lock(mutex);
    if (!flight->over) waiters = End(flight, effects);
  }
  Deliver(waiters, outcome);
  Carry(effects, nullptr);
}

void ReviewFlights::State::OnTimeout(const FlightRef& flight,
                                     const std::shared_ptr<Waiter>& waiter) {
  Effects effects;
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    const MutexLock lock(mutex);
    if (!flight->over) waiters = End(flight, effects);
  }
  waiter->Finish(ReviewOutcome{});
  Deliver(waiters, ReviewOutcome{});
  Carry(effects, nullptr);
}

void ReviewFlights::State::Deliver(const std::vector<std::shared_ptr<Waiter>>& waiters,
                                   const ReviewOutcome& outcome) {
  for (const std::shared_ptr<Waiter>& waiter : waiters) {
    waiter->executor->Post([waiter, outcome] { waiter->Finish(outcome); });
  }
}

ReviewFlights::ReviewFlights(Limits limits) : state_(std::make_shared<State>(limits)) {}

ReviewFlights::~ReviewFlights() = default;

bool ReviewFlights::Ask(Question question, Executor& caller, ReviewClient& reviews, Done done) {
  return state_->Ask(std::move(question), caller, reviews, std::move(done));
}

size_t ReviewFlights::in_flight() const {
  const MutexLock lock(state_->mutex);
  return state_->in_flight;
}

size_t ReviewFlights::waiting() const {
  const MutexLock lock(state_->mutex);
  return state_->waiting[false] + state_->waiting[true];
}

}  // namespace weir
