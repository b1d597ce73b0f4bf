#include "bench/fleet/histogram.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

namespace weir::fleet {

namespace {
constexpr int64_t kLeast = 1000;
constexpr int64_t kMost = std::chrono::nanoseconds(std::chrono::hours(1)).count();
}  // namespace

void Histogram::Add(Duration time) {
  const auto value = static_cast<uint64_t>(std::clamp(time.count(), kLeast, kMost));
  const auto power = static_cast<size_t>(std::bit_width(value)) - 1;  // At least 9.
  const size_t step = value >> (power - 4) & (kSteps - 1);
  ++buckets_[power * kSteps + step];
  ++count_;
  max_ = std::max(max_, static_cast<int64_t>(value));
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
}

Duration Histogram::Percentile(double percent) const {
  if (count_ == 0) return Duration(0);
  const auto wanted = static_cast<uint64_t>(std::ceil(percent / 100 * static_cast<double>(count_)));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen < std::max<uint64_t>(wanted, 1)) continue;
    const size_t power = i / kSteps;
    const auto end = static_cast<int64_t>((kSteps + i % kSteps + 1) << power >> 4);
    return Duration(std::min(end, max_));
  }
  return max();
}

}  // namespace weir::fleet
