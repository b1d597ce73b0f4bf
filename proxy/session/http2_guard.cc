#include "proxy/session/http2_guard.h"

#include <algorithm>

namespace weir {

bool Http2Guard::Bucket::Take(TimePoint now, uint32_t burst, uint32_t rate) {
  const auto each = Duration(std::chrono::seconds(1)) / rate;
  const auto back = static_cast<uint64_t>((now - since_) / each);
  since_ += each * static_cast<int64_t>(back);
  used_ -= static_cast<uint32_t>(std::min<uint64_t>(used_, back));
  return ++used_ <= burst;
}

}  // namespace weir
