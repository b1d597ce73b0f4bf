// The bytes of a stream from which whole frames are cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/k8s/metadata_scan.h"

namespace weir {

// Holds what has come and was not consumed, in one piece, with MetadataScanner::kPadding readable
// bytes behind it.
class FrameBuffer {
 public:
  // Valid until the next Append().
  std::string_view unread() const { return std::string_view(bytes_).substr(position_); }
  void Consume(size_t count) { position_ += count; }

  void Append(std::string_view bytes) {
    bytes_.erase(0, position_);
    position_ = 0;
    if (bytes_.empty() && bytes_.capacity() > kKeptCapacity) bytes_ = {};
    const size_t needed = bytes_.size() + bytes.size() + MetadataScanner::kPadding;
    if (needed > bytes_.capacity()) bytes_.reserve(std::max(needed, 2 * bytes_.capacity()));
    bytes_.append(bytes);
  }

 private:
  // A buffer that once held a huge frame does not keep that memory.
  static constexpr size_t kKeptCapacity = size_t{1} << 20;

  std::string bytes_;  // Its capacity covers the padding.
  size_t position_ = 0;
};

}  // namespace weir
