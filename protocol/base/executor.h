// Where and when code runs: the only view of threads and time that cache/ has.
//
// The proxy's Worker implements it over its io_context, the simulation over a manual clock.
#pragma once

#include <chrono>
#include <cstdint>

#include "absl/functional/any_invocable.h"

namespace weir {

using Duration = std::chrono::nanoseconds;
// Monotonic. Wall-clock time is only for logs and certificates.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// One thread's run queue, timers and clock. Tasks run one after the other, in order of posting.
class Executor {
 public:
  using Task = absl::AnyInvocable<void()>;
  using TimerId = uint64_t;  // Never 0, never used twice by one executor.

  virtual ~Executor() = default;

  // Runs `task` later on this executor's thread, never inside the call. Thread-safe.
  // After shutdown has begun tasks are dropped (destroyed, not run).
  virtual void Post(Task task) = 0;

  // Runs `task` once, `delay` from now. Only on the executor's own thread.
  virtual TimerId After(Duration delay, Task task) = 0;

  // Drops a timer that has not fired yet (0 and fired ones are ignored). Only on the own thread.
  // After the call the task will not run, and has been destroyed.
  virtual void Cancel(TimerId timer) = 0;

  // The time; advances between tasks at least.
  virtual TimePoint Now() const = 0;

  // Whether the caller is on the executor's thread.
  virtual bool IsCurrent() const = 0;
};

}  // namespace weir
