// How long to wait before asking an upstream again that has just failed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

#include "protocol/base/executor.h"

namespace weir {

// Doubles from 200 ms to 30 s, each time cut by up to half at random so that many feeds do not come
// back together. Thread-affine.
class Backoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(200);
  static constexpr Duration kMost = std::chrono::seconds(30);

  explicit Backoff(uint64_t seed) : random_(seed) {}

  // The next pause: not below what upstream asked for, and never above kMost.
  Duration Next(Duration retry_after = Duration(0)) {
    const Duration whole = std::min(kMost, kFirst * (int64_t{1} << std::min(failures_, 8)));
    ++failures_;
    return std::min(kMost, std::max(Jitter(whole), retry_after));
  }
  void Succeeded() { failures_ = 0; }
  int failures() const { return failures_; }

  // Between half and all of `whole`.
  Duration Jitter(Duration whole) {
    return Duration(
        std::uniform_int_distribution<int64_t>(whole.count() / 2, whole.count())(random_));
  }

 private:
  std::mt19937_64 random_;
  int failures_ = 0;
};

}  // namespace weir
