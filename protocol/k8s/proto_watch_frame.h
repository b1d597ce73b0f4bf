// Watch streams in protobuf, and the few values that a feed needs from messages that are not
// cached.
#pragma once

#include <cstddef>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/frame_buffer.h"
#include "protocol/k8s/watch_frame.h"

namespace weir {

// A frame is its length in four bytes, the highest first, and a meta.v1.WatchEvent whose object is
// an envelope (api-semantics 3.1).
class ProtobufWatchFrameReader final : public WatchFrameReader {
 public:
  explicit ProtobufWatchFrameReader(size_t max_frame_bytes = kMaxFrameBytes)
      : max_frame_bytes_(max_frame_bytes) {}

  void Feed(std::string_view bytes) override { buffer_.Append(bytes); }
  StatusOr<bool> Next(WatchFrame& frame) override;
  size_t pending() const override { return buffer_.unread().size(); }

 private:
  const size_t max_frame_bytes_;
  FrameBuffer buffer_;
};

// As ReadStatus(): `bytes` is a Status, as an ERROR frame has it, or one in its envelope, as the
// body of an error.
StatusSummary ReadProtobufStatus(std::string_view bytes);

// metadata.resourceVersion of a bookmark's object, which has no name. InvalidArgument: none, or no
// number above 0.
StatusOr<Revision> ProtobufBookmarkRevision(std::string_view message);

}  // namespace weir
