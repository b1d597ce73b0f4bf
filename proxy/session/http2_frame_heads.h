// The heads of the frames in what a client sends, whatever becomes of the frames: nghttp2 overlooks
// some without a word, and flooding with those is flooding too.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

struct Http2FrameHead {
  uint32_t length;
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
};

// Thread-affine. Begins before the client's preface.
class Http2FrameHeads {
 public:
  // Calls `visit` with each head that ends in `bytes`, until one is false; whether none was.
  template <typename Visit>
  bool Scan(std::string_view bytes, const Visit& visit) {
    while (!bytes.empty()) {
      if (payload_left_ > 0) {
        const size_t passed = std::min<size_t>(payload_left_, bytes.size());
        payload_left_ -= static_cast<uint32_t>(passed);
        bytes.remove_prefix(passed);
        continue;
      }
      head_[have_++] = static_cast<uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (have_ < head_.size()) continue;
      have_ = 0;
      last_ = {Number(0, 3), head_[3], head_[4], Number(5, 4) & 0x7fffffff};
      payload_left_ = last_.length;
      if (!visit(last_)) return false;
    }
    return true;
  }

  // The last head, and whether its payload is still coming.
  const Http2FrameHead& last() const { return last_; }
  bool in_payload() const { return payload_left_ > 0; }

 private:
  uint32_t Number(size_t at, size_t size) const {
    uint32_t number = 0;
    for (size_t i = 0; i < size; ++i) number = number << 8 | head_[at + i];
    return number;
  }

  static constexpr uint32_t kPrefaceBytes = 24;
  std::array<uint8_t, 9> head_{};
  size_t have_ = 0;
  uint32_t payload_left_ = kPrefaceBytes;
  Http2FrameHead last_{};
};

}  // namespace weir
