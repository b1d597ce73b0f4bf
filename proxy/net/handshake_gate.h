// How many TLS handshakes a worker has under way, and how fast it begins them. They cost more than
// anything else that a stranger can ask for.
//
// A handshake that would exceed the rate waits for its turn, and is not begun where its turn would
// come too late. Where as many are under way as may be, the oldest is cut: an honest one is over in
// milliseconds, one that holds its place and sends nothing is not.
#pragma once

#include <list>

#include "proxy/net/async.h"
#include "proxy/net/stream.h"
#include "proxy/net/worker.h"

namespace weir {

// Thread-affine to the worker.
class HandshakeGate {
 public:
  struct Limits {
    size_t max_in_flight = 0;
    uint32_t per_second = 0;  // 0: no limit. A second's worth may begin at once.
  };
  // The longest that one waits for its turn, and so a bound on how many do.
  static constexpr Duration kMaxWait = std::chrono::seconds(5);

  explicit HandshakeGate(Worker& worker) : worker_(worker) {}

  // A place among the handshakes under way, until it is destroyed; the stream and the gate outlive
  // it.
  class Place {
   public:
    explicit Place(HandshakeGate& gate) : gate_(gate) {}
    ~Place() { Leave(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class HandshakeGate;
    void Leave();

    HandshakeGate& gate_;
    Stream* stream_ = nullptr;  // Null: holds nothing.
    std::list<Place*>::iterator position_;
  };

  // Waits for the turn of `stream` and takes `place`. False: there are too many, or the stream has
  // failed meanwhile.
  Async<bool> Enter(Stream& stream, Place& place, Limits limits);

  size_t in_flight() const { return under_way_.size(); }

 private:
  // Zero or less: now. Above kMaxWait: never, and it is not counted.
  Duration TakeTurn(uint32_t per_second);

  Worker& worker_;
  std::list<Place*> under_way_;  // Oldest first. Not those that were cut.
  TimePoint next_turn_{};        // As if each took its part of a second.
};

}  // namespace weir
