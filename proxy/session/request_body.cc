#include "proxy/session/request_body.h"

#include <algorithm>
#include <utility>

namespace weir {

namespace {
constexpr Duration kGrace = std::chrono::seconds(10);
constexpr Duration kMaxPause = std::chrono::seconds(60);
}  // namespace

Async<StatusOr<std::string_view>> RequestBody::Read() {
  Worker& worker = exchange_.worker();
  const TimePoint began = worker.Now();
  Executor::TimerId timer = 0;
  if (timed_) {
    const Duration allowed = kGrace + std::chrono::seconds(received_ / min_rate_) - waited_;
    timer = worker.After(std::min(allowed, kMaxPause), [this] { exchange_.Abort(); });
  }
  StatusOr<std::string_view> piece = co_await exchange_.ReadBody();
  worker.Cancel(timer);
  waited_ += worker.Now() - began;
  if (piece.ok()) received_ += piece->size();
  co_return piece;
}

Async<Status> RequestBody::ReadAhead() {
  while (!ended_ && ahead_.size() < kAhead) {
    const StatusOr<std::string_view> piece = co_await Read();
    if (!piece.ok()) co_return piece.status();
    ended_ = piece->empty();
    ahead_.append(*piece);
  }
  co_return OkStatus();
}

Async<StatusOr<std::string_view>> RequestBody::Next() {
  if (!std::exchange(handed_out_, true) && !ahead_.empty()) co_return std::string_view(ahead_);
  if (ended_) co_return std::string_view();
  beyond_ = true;
  std::string().swap(ahead_);
  co_return co_await Read();
}

bool RequestBody::Rewind() {
  if (!beyond_) handed_out_ = false;
  return !beyond_;
}

}  // namespace weir
