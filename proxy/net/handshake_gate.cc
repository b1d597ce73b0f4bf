#include "proxy/net/handshake_gate.h"

#include <algorithm>

#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"

namespace weir {

namespace {

constexpr Duration kBurst = std::chrono::seconds(1);

struct Waiting {
  Waiting() { ProcessMetrics().tls_handshakes_in_flight.Add(); }
  ~Waiting() { ProcessMetrics().tls_handshakes_in_flight.Sub(); }
};

}  // namespace

void HandshakeGate::Place::Leave() {
  if (stream_ == nullptr) return;
  stream_ = nullptr;
  gate_.under_way_.erase(position_);
  ProcessMetrics().tls_handshakes_in_flight.Sub();
}

Duration HandshakeGate::TakeTurn(uint32_t per_second) {
  if (per_second == 0) return Duration(0);
  const TimePoint now = worker_.Now();
  const TimePoint turn = std::max(next_turn_, now - kBurst);
  if (turn - now > kMaxWait) return turn - now;
  next_turn_ = turn + Duration(kBurst) / per_second;
  return turn - now;
}

Async<bool> HandshakeGate::Enter(Stream& stream, Place& place, Limits limits) {
  const Duration wait = TakeTurn(limits.per_second);
  if (wait > kMaxWait) {
    ProcessMetrics().tls_handshakes_shed.Add();
    co_return false;
  }
  if (wait > Duration(0)) {
    const Waiting counted;
    Signal turn(worker_);
    co_await turn.Wait(worker_.Now() + wait);
  }
  if (!stream.failure().ok()) co_return false;
  if (under_way_.size() >= std::max<size_t>(limits.max_in_flight, 1)) {
    ProcessMetrics().tls_handshakes_shed.Add();
    Stream* const oldest = under_way_.front()->stream_;
    under_way_.front()->Leave();
    oldest->Cut();
  }
  place.position_ = under_way_.insert(under_way_.end(), &place);
  place.stream_ = &stream;
  ProcessMetrics().tls_handshakes_in_flight.Add();
  co_return true;
}

}  // namespace weir
