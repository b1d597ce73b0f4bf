// Times in buckets that are at most 1/16 wide: percentiles without keeping samples.
#pragma once

#include <array>
#include <cstdint>

#include "protocol/base/executor.h"

namespace weir::fleet {

// Thread-affine. Times below 1 µs count as 1 µs, those above an hour as an hour.
class Histogram {
 public:
  void Add(Duration time);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // The upper end of the bucket of the `percent`th percentile, at most the maximum; 0 when empty.
  Duration Percentile(double percent) const;
  Duration max() const { return Duration(max_); }

 private:
  static constexpr size_t kSteps = 16;  // Per power of two.
  static constexpr size_t kPowers = 42;

  std::array<uint64_t, kSteps * kPowers> buckets_{};
  uint64_t count_ = 0;
  int64_t max_ = 0;
};

}  // namespace weir::fleet
