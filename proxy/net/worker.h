// One thread, one io_context, one scratch space: everything that a connection needs lives on one of
// these.
//
// Thread-affine but for Post(), Stop() and what it says. Life cycle: Start() runs the loop on a new
// thread; Stop() ends it, after which what is still pending is destroyed with the worker.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "protocol/base/executor.h"
#include "proxy/net/async.h"

namespace weir {

// Deterministic counters of the data path, for tests and benchmarks.
struct NetCounters {
  uint64_t sends = 0;         // send() calls that took bytes.
  uint64_t records = 0;       // SSL_write calls: one TLS record each.
  uint64_t bytes_copied = 0;  // Into the gather scratch.
  uint64_t bytes_sent = 0;    // As handed to the kernel.
};

class Worker : public Executor {
 public:
  explicit Worker(size_t index);
  ~Worker() override;
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void Start();
  // Ends the loop after the tasks that are running now, and joins the thread. From another thread.
  void Stop();

  // Destroys what is pending: timers, then coroutines and posted tasks, which may still use this
  // worker. After Stop(); nothing else may be called afterwards. The destructor does it too.
  void Discard();

  size_t index() const { return index_; }
  net::io_context& io() { return *io_; }
  // When the loop last ran a task of the heartbeat: livez fails when it is old. Thread-safe.
  TimePoint last_tick() const {
    return TimePoint(Duration(last_tick_.load(std::memory_order_relaxed)));
  }

  // Starts a coroutine that nobody awaits. It is the root of its story: exceptions end here, in the
  // log.
  void Spawn(Async<void> coroutine);

  // Executor.
  void Post(Task task) override;
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  TimePoint Now() const override;
  bool IsCurrent() const override;

  // Scratch of the data path, valid until the next use on this worker: never across a co_await.
  struct Scratch {
    std::vector<char> gather;  // 16 KiB: one TLS record's plaintext.
    std::string out;           // Sealed records of one visit.
    std::vector<char> in;      // What recv() brought.
  };
  Scratch& scratch() { return scratch_; }
  NetCounters& counters() { return counters_; }

 private:
  void ArmTimer();
  void FireTimers();
  void Tick();

  const size_t index_;
  std::unique_ptr<net::io_context> io_;
  struct TimerImpl;
  std::unique_ptr<TimerImpl> timer_;
  std::map<std::pair<TimePoint, TimerId>, Task> timers_;
  absl::flat_hash_map<TimerId, TimePoint> due_;
  TimerId next_timer_ = 1;
  TimePoint armed_for_ = TimePoint::max();
  std::atomic<int64_t> last_tick_{0};
  Scratch scratch_;
  NetCounters counters_;
  std::atomic<std::thread::id> thread_id_{};
  std::thread thread_;
};

}  // namespace weir
