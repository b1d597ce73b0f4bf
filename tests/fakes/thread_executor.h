// An Executor on a thread of its own and the real clock: for tests that look for data races, not
// for timing.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "protocol/base/executor.h"

namespace weir {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor() : thread_([this] { Run(); }) {}
  ~ThreadExecutor() override { Stop(); }

  // Drops what has not run, and joins the thread. Not on the thread itself.
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  void Post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  TimerId After(Duration delay, Task task) override {
    const TimerId id = ++last_timer_;
    timers_.emplace(std::pair(Now() + delay, id), std::move(task));
    return id;
  }
  void Cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }
  TimePoint Now() const override { return std::chrono::steady_clock::now(); }
  bool IsCurrent() const override { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Run() {
    while (true) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        const auto ready = [this] { return stopped_ || !tasks_.empty(); };
        if (timers_.empty()) {
          wake_.wait(lock, ready);
        } else {
          wake_.wait_until(lock, timers_.begin()->first.first, ready);
        }
        if (stopped_) break;
        if (!tasks_.empty()) {
          task = std::move(tasks_.front());
          tasks_.pop_front();
        }
      }
      if (task) {
        task();
      } else if (!timers_.empty() && timers_.begin()->first.first <= Now()) {
        auto node = timers_.extract(timers_.begin());
        node.mapped()();
      }
    }
    // On this thread, as what they hold expects.
    timers_.clear();
    std::deque<Task> dropped;
    const std::lock_guard lock(mutex_);
    dropped.swap(tasks_);
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;  // Guarded by mutex_.
  bool stopped_ = false;    // Guarded by mutex_.

  // Of the thread.
  std::map<std::pair<TimePoint, TimerId>, Task> timers_;
  TimerId last_timer_ = 0;

  std::thread thread_;  // Last: it starts in the constructor.
};

}  // namespace weir
