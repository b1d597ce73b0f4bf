#include "proxy/net/worker.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>

#include "protocol/base/log.h"

namespace weir {

namespace {
constexpr size_t kRecordBytes = 16384;
constexpr size_t kReceiveBytes = 64 * 1024;
constexpr Duration kHeartbeat = std::chrono::seconds(1);
}  // namespace

struct Worker::TimerImpl {
  explicit TimerImpl(net::io_context& io) : timer(io), guard(io.get_executor()) {}
  net::steady_timer timer;
  net::executor_work_guard<IoExecutor> guard;
};

Worker::Worker(size_t index)
    : index_(index),
      io_(std::make_unique<net::io_context>(1)),
      timer_(std::make_unique<TimerImpl>(*io_)) {
  scratch_.gather.resize(kRecordBytes);
  scratch_.in.resize(kReceiveBytes);
}

Worker::~Worker() { Discard(); }

void Worker::Discard() {
  Stop();
  due_.clear();
  std::exchange(timers_, {}).clear();
  timer_.reset();
  // What dies with it may still post here and ask for it.
  delete io_.get();
  (void)io_.release();
}

void Worker::Start() {
  thread_ = std::thread([this] {
    thread_id_.store(std::this_thread::get_id());
    Tick();
    io_->run();
  });
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  io_->stop();
  thread_.join();
}

void Worker::Spawn(Async<void> coroutine) {
  net::co_spawn(*io_, std::move(coroutine), [](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& e) {
      Log(LogLevel::kError, "Coroutine failed", {{"err", e.what()}});
    } catch (...) {
      Log(LogLevel::kError, "Coroutine failed", {{"err", "unknown exception"}});
    }
  });
}

void Worker::Post(Task task) { net::post(*io_, std::move(task)); }

Executor::TimerId Worker::After(Duration delay, Task task) {
  const TimerId id = next_timer_++;
  if (timer_ == nullptr) return id;  // Discarded: the task is dropped.
  const TimePoint due = Now() + std::max(delay, Duration(0));
  timers_.emplace(std::pair(due, id), std::move(task));
  due_.emplace(id, due);
  if (due < armed_for_) ArmTimer();
  return id;
}

void Worker::Cancel(TimerId timer) {
  const auto found = due_.find(timer);
  if (found == due_.end()) return;
  const auto key = std::pair(found->second, timer);
  due_.erase(found);
  // Destroying a task may run code that touches the timers: take it out first.
  const auto node = timers_.extract(key);
}

TimePoint Worker::Now() const { return std::chrono::steady_clock::now(); }

bool Worker::IsCurrent() const { return thread_id_.load() == std::this_thread::get_id(); }

void Worker::ArmTimer() {
  if (timers_.empty()) {
    armed_for_ = TimePoint::max();
    return;
  }
  armed_for_ = timers_.begin()->first.first;
  timer_->timer.expires_at(armed_for_);
  timer_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) FireTimers();
  });
}

void Worker::FireTimers() {
  armed_for_ = TimePoint::max();
  const TimePoint now = Now();
  // Timers set by these tasks wait for the next turn, so that a task that re-arms itself cannot
  // hold the loop.
  const TimerId last = next_timer_;
  while (!timers_.empty() && timers_.begin()->first.first <= now &&
         timers_.begin()->first.second < last) {
    auto node = timers_.extract(timers_.begin());
    due_.erase(node.key().second);
    node.mapped()();
  }
  ArmTimer();
}

void Worker::Tick() {
  last_tick_.store(Now().time_since_epoch().count(), std::memory_order_relaxed);
  After(kHeartbeat, [this] { Tick(); });
}

}  // namespace weir
