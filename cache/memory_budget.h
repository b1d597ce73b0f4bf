// One bound for the bytes of all caches together, shared out as they grow.
//
// A LIST that would pass the bound is given up and its resource forwarded. A cache that has synced
// may grow by its events up to an eighth beyond: to drop it would make every client list anew, at
// the worst moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace weir {

// Thread-safe.
class MemoryBudget {
 public:
  explicit MemoryBudget(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Whether `more` bytes fit beside all that is held.
  bool Fits(size_t more) const {
    const size_t held = held_.load(std::memory_order_relaxed);
    return held <= max_bytes_ && more <= max_bytes_ - held;
  }
  // Beyond what even grown caches may hold together.
  bool Overrun() const {
    return held_.load(std::memory_order_relaxed) > max_bytes_ + max_bytes_ / 8;
  }
  size_t max_bytes() const { return max_bytes_; }
  size_t held_bytes() const { return held_.load(std::memory_order_relaxed); }

  // What one feed holds of it; given back when destroyed. Thread-affine.
  class Share {
   public:
    explicit Share(std::shared_ptr<MemoryBudget> budget) : budget_(std::move(budget)) {}
    ~Share() { Set(0); }
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    void Set(size_t bytes) {
      // Unsigned wrap-around makes one addition of a smaller amount a subtraction.
      budget_->held_.fetch_add(bytes - bytes_, std::memory_order_relaxed);
      bytes_ = bytes;
    }
    size_t bytes() const { return bytes_; }
    const MemoryBudget& budget() const { return *budget_; }

   private:
    const std::shared_ptr<MemoryBudget> budget_;
    size_t bytes_ = 0;
  };

 private:
  const size_t max_bytes_;
  std::atomic<size_t> held_{0};
};

}  // namespace weir
