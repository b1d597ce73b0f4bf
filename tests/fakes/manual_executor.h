// An Executor whose thread is the test and whose clock stands still until it is told to move.
//
//   ManualExecutor home, worker;
//   cache.Publish();                                  // posts to `worker`
//   worker.RunReady();                                // runs what was posted, and what that posts
//   ManualExecutor::Advance({&home, &worker}, 3s);    // timers fire in order of their times
//
// Deterministic: tasks run in order of posting, timers by time and then by order of starting.
// Post() may come from any thread; all else belongs to the thread that made it.
#pragma once

#include <cstddef>
#include <deque>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "protocol/base/executor.h"

namespace weir {

class ManualExecutor : public Executor {
 public:
  // The clock starts at `start`: not at the epoch, which stands for "never".
  explicit ManualExecutor(TimePoint start = TimePoint(std::chrono::hours(1))) : now_(start) {}
  ~ManualExecutor() override { Shutdown(); }
  ManualExecutor(const ManualExecutor&) = delete;
  ManualExecutor& operator=(const ManualExecutor&) = delete;

  void Post(Task task) override;
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  TimePoint Now() const override { return now_; }
  // True inside this executor's tasks, and in code that runs in no executor's task: the test itself
  // stands in for every thread.
  bool IsCurrent() const override;

  // Runs one task, or else one timer that is due. Returns whether there was one.
  bool RunOne();
  // Runs until nothing is ready. Returns how many ran.
  size_t RunReady();
  // Moves the clock, stopping at each timer on the way and running all that is ready there.
  void Advance(Duration by);

  // Several executors as one machine: RunReady() in turns until all are idle, one common clock.
  // They must show the same time.
  static size_t RunReady(std::span<ManualExecutor* const> executors);
  static void Advance(std::span<ManualExecutor* const> executors, Duration by);
  static size_t RunReady(std::initializer_list<ManualExecutor*> executors) {
    return RunReady(std::span(executors.begin(), executors.size()));
  }
  static void Advance(std::initializer_list<ManualExecutor*> executors, Duration by) {
    Advance(std::span(executors.begin(), executors.size()), by);
  }

  // Drops all tasks and timers, those that come later too.
  void Shutdown();

  size_t tasks() const;  // Posted and not run yet.
  size_t timers() const { return timers_.size(); }
  std::optional<TimePoint> next_timer() const;

 private:
  void Run(Task task);

  mutable std::mutex mutex_;
  std::deque<Task> tasks_;  // Guarded by mutex_.
  bool stopped_ = false;    // Guarded by mutex_.

  TimePoint now_;
  TimerId last_timer_ = 0;
  std::map<std::pair<TimePoint, TimerId>, Task> timers_;
};

}  // namespace weir
