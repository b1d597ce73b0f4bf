// How often a line of its kind may be written, however much there is to say.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace weir {

// Thread-safe.
class LogPace {
 public:
  explicit constexpr LogPace(std::chrono::steady_clock::duration every) : every_(every) {}

  // 0: not now. Else how many times it was asked since it last agreed, this one included.
  uint64_t Take(std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now()) {
    const uint64_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
    const int64_t at = now.time_since_epoch().count();
    int64_t next = next_.load(std::memory_order_relaxed);
    if (at < next ||
        !next_.compare_exchange_strong(next, at + every_.count(), std::memory_order_relaxed))
      return 0;
    count_.fetch_sub(count, std::memory_order_relaxed);
    return count;
  }

 private:
  const std::chrono::steady_clock::duration every_;
  std::atomic<uint64_t> count_{0};
  std::atomic<int64_t> next_{INT64_MIN};
};

}  // namespace weir
