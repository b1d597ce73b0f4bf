// What a peer may make an HTTP/2 server do for nothing: counted, and beyond its bound the
// connection ends (auth-and-forwarding E.2).
//
//   resets      each stream that is opened only to be cancelled, by the client or by us because of
//               it (CVE-2023-44487, CVE-2025-8671): 200 at once, 33 a second
//   control     PING, SETTINGS and unknown frames: 1,000 at once, 20 a second
//   empty DATA  ten in a row that neither carry nor end anything
//   PRIORITY    a hundred for each stream opened
//   windows     ten WINDOW_UPDATEs for each DATA frame sent or stream opened, and a thousand
//   crumbs      DATA frames that a tiny window cuts to less than 256 bytes: 1,000 at once, 20 a
//               second
//
// Thread-affine; one of each connection.
#pragma once

#include <cstdint>

#include "protocol/base/executor.h"

namespace weir {

class Http2Guard {
 public:
  explicit Http2Guard(TimePoint now) : resets_(now), control_(now), crumbs_(now) {}

  // Each false: the connection is to end, with ENHANCE_YOUR_CALM.
  bool OnReset(TimePoint now) { return resets_.Take(now, 200, 33); }
  bool OnControl(TimePoint now) { return control_.Take(now, 1000, 20); }
  bool OnCrumb(TimePoint now) { return crumbs_.Take(now, 1000, 20); }
  bool OnEmptyData() { return ++empty_data_ <= 10; }
  bool OnPriority() { return ++priorities_ <= 100 * (streams_ + 1); }
  bool OnWindowUpdate() { return ++window_updates_ <= 1000 + 10 * (data_sent_ + streams_); }

  void OnStream() { ++streams_; }
  void OnDataBytes() { empty_data_ = 0; }
  void OnDataSent() { ++data_sent_; }

 private:
  class Bucket {
   public:
    explicit Bucket(TimePoint now) : since_(now) {}
    // Of `burst`, refilled by `rate` a second, takes one.
    bool Take(TimePoint now, uint32_t burst, uint32_t rate);

   private:
    TimePoint since_;
    uint32_t used_ = 0;
  };

  Bucket resets_, control_, crumbs_;
  uint64_t streams_ = 0;
  uint64_t data_sent_ = 0;
  uint64_t window_updates_ = 0;
  uint64_t priorities_ = 0;
  uint32_t empty_data_ = 0;
};

}  // namespace weir
