// What a coroutine waits on until a callback has something for it.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "proxy/net/async.h"
#include "proxy/net/worker.h"

namespace weir {

// A flag that one coroutine waits for. Thread-affine. Notify() before Wait() is not lost.
class Signal {
 public:
  explicit Signal(Worker& worker);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // Wakes the waiter, later, not inside the call.
  void Notify();
  // Returns after a Notify() since the last Wait(), or at `deadline`; true: notified.
  Async<bool> Wait(TimePoint deadline = TimePoint::max());

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  Worker& worker_;
  bool notified_ = false;
};

// A value that a callback brings to one waiting coroutine on the same worker. Copies share the
// state, so a callback may outlive the waiter.
template <typename T>
class Promise {
 public:
  explicit Promise(Worker& worker) : state_(std::make_shared<State>(worker)) {}

  void Set(T value) const {
    state_->value = std::move(value);
    state_->signal.Notify();
  }
  // Null after `deadline`.
  Async<std::optional<T>> Take(TimePoint deadline = TimePoint::max()) const {
    const std::shared_ptr<State> state = state_;
    while (!state->value.has_value()) {
      const bool notified = co_await state->signal.Wait(deadline);
      if (!notified) break;
    }
    co_return std::exchange(state->value, std::nullopt);
  }

 private:
  struct State {
    explicit State(Worker& worker) : signal(worker) {}
    Signal signal;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_;
};

}  // namespace weir
