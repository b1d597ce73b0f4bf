// The body of a request that is forwarded, on its way in.
//
// Of a short request its first part is read before it takes any of the room that forwarded requests
// share, so that a client that announces a body and sends none holds up nobody but itself. What
// lasts has room of its own, and its body may wait for the answer. Of short ones, a client that
// sends less than --min-body-rate on average after a grace of 10 s, or nothing for a minute, loses
// its connection.
#pragma once

#include <string>
#include <string_view>

#include "proxy/session/exchange.h"

namespace weir {

// Thread-affine; the exchange outlives it.
class RequestBody {
 public:
  // What is read ahead at most, and so held for a request that waits.
  static constexpr size_t kAhead = 64 * 1024;

  // `timed`: whether the rule above holds; not for long-running requests. `min_rate`: bytes a
  // second.
  RequestBody(Exchange& exchange, bool timed, uint64_t min_rate)
      : exchange_(exchange), min_rate_(min_rate), timed_(timed) {}

  // Reads on until kAhead bytes are there, or the end. InvalidArgument: bad framing. Else the
  // stream's error.
  Async<Status> ReadAhead();
  // The next piece, what was read ahead first; valid until the next call; "" at the end.
  Async<StatusOr<std::string_view>> Next();
  // Next() begins anew. False: more was handed out than what was read ahead, and is gone.
  bool Rewind();
  // The answer is out: what comes is read without a rule of ours.
  void Untimed() { timed_ = false; }

 private:
  Async<StatusOr<std::string_view>> Read();

  Exchange& exchange_;
  const uint64_t min_rate_;
  bool timed_;
  std::string ahead_;
  bool handed_out_ = false;  // `ahead_`.
  bool beyond_ = false;      // What follows it was asked for.
  bool ended_ = false;
  uint64_t received_ = 0;
  Duration waited_ = Duration(0);
};

}  // namespace weir
