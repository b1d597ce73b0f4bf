// Lines about reviews, a few per minute however many fail.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "protocol/base/log.h"
#include "protocol/base/status.h"

namespace weir {

// Thread-safe.
class ReviewLog {
 public:
  explicit ReviewLog(std::string_view what) : what_(what) {}

  // No verdict: a warning, at most every ten seconds, with how many there were since the last.
  void Failure(const Status& status) {
    const uint64_t count = failures_.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!Due(next_failure_)) return;
    failures_.fetch_sub(count, std::memory_order_relaxed);
    Log(LogLevel::kWarning, "Review failed",
        {{"review", what_}, {"err", Message(status)}, {"failures", count}});
  }
  // A credential that upstream refuses: on debug level, as often as failures.
  void Refusal(std::string_view error) {
    if (!LogEnabled(LogLevel::kDebug) || !Due(next_refusal_)) return;
    Log(LogLevel::kDebug, "Refused", {{"review", what_}, {"err", error.substr(0, 256)}});
  }

 private:
  static bool Due(std::atomic<int64_t>& next) {
    const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
    int64_t due = next.load(std::memory_order_relaxed);
    const int64_t later =
        now + std::chrono::steady_clock::duration(std::chrono::seconds(10)).count();
    return now >= due && next.compare_exchange_strong(due, later, std::memory_order_relaxed);
  }

  const std::string_view what_;
  std::atomic<uint64_t> failures_{0};
  std::atomic<int64_t> next_failure_{0};
  std::atomic<int64_t> next_refusal_{0};
};

}  // namespace weir
