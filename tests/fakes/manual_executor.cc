#include "tests/fakes/manual_executor.h"

#include <algorithm>

namespace weir {
namespace {

thread_local const ManualExecutor* running = nullptr;

}  // namespace

void ManualExecutor::Post(Task task) {
  // Outside the lock: a dropped task's destructor may post again.
  Task dropped;
  const std::lock_guard lock(mutex_);
  if (stopped_) {
    dropped = std::move(task);
  } else {
    tasks_.push_back(std::move(task));
  }
}

Executor::TimerId ManualExecutor::After(Duration delay, Task task) {
  const TimerId id = ++last_timer_;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return id;
  }
  timers_.emplace(std::pair(now_ + std::max(delay, Duration(0)), id), std::move(task));
  return id;
}

void ManualExecutor::Cancel(TimerId timer) {
  const auto found = std::find_if(timers_.begin(), timers_.end(), [timer](const auto& entry) {
    return entry.first.second == timer;
  });
  if (found == timers_.end()) return;
  const auto node = timers_.extract(found);  // Destroyed after the map is whole again.
}

bool ManualExecutor::IsCurrent() const { return running == nullptr || running == this; }

void ManualExecutor::Run(Task task) {
  const ManualExecutor* const outer = std::exchange(running, this);
  task();
  task = nullptr;  // What it holds dies on this executor too.
  running = outer;
}

bool ManualExecutor::RunOne() {
  {
    std::unique_lock lock(mutex_);
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      Run(std::move(task));
      return true;
    }
  }
  if (timers_.empty() || timers_.begin()->first.first > now_) return false;
  auto node = timers_.extract(timers_.begin());
  Run(std::move(node.mapped()));
  return true;
}

size_t ManualExecutor::RunReady() {
  size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

void ManualExecutor::Advance(Duration by) { Advance({this}, by); }

size_t ManualExecutor::RunReady(std::span<ManualExecutor* const> executors) {
  size_t count = 0;
  for (bool more = true; more;) {
    more = false;
    for (ManualExecutor* executor : executors) {
      if (!executor->RunOne()) continue;
      more = true;
      ++count;
    }
  }
  return count;
}

void ManualExecutor::Advance(std::span<ManualExecutor* const> executors, Duration by) {
  RunReady(executors);
  if (executors.empty()) return;
  const TimePoint end = executors.front()->now_ + by;
  while (true) {
    TimePoint next = end;
    for (const ManualExecutor* executor : executors) {
      if (const auto timer = executor->next_timer()) next = std::min(next, *timer);
    }
    for (ManualExecutor* executor : executors) executor->now_ = std::max(executor->now_, next);
    if (RunReady(executors) == 0 && next == end) return;
  }
}

void ManualExecutor::Shutdown() {
  std::deque<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    tasks.swap(tasks_);
  }
  std::map<std::pair<TimePoint, TimerId>, Task> timers;
  timers.swap(timers_);
}

size_t ManualExecutor::tasks() const {
  const std::lock_guard lock(mutex_);
  return tasks_.size();
}

std::optional<TimePoint> ManualExecutor::next_timer() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

}  // namespace weir
