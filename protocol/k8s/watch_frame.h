// Watch streams: cutting upstream's into events, and the fixed parts of ours
// (api-semantics 3.1).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/api_error.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/frame_buffer.h"
#include "protocol/k8s/resource.h"

namespace weir {

enum class FrameType : uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };
// By its name in a stream, such as "ADDED".
std::optional<FrameType> FrameTypeOf(std::string_view name);

struct WatchFrame {
  FrameType type = FrameType::kError;
  // One JSON object, or the message inside its envelope; MetadataScanner::kPadding readable bytes
  // follow.
  std::string_view object;
  // Protobuf: what the envelope says of it; in JSON the object says so itself.
  std::string_view kind, api_version;
};

// Cuts a stream into frames. Thread-affine. Holds at most one incomplete frame.
class WatchFrameReader {
 public:
  static constexpr size_t kMaxFrameBytes = size_t{16} << 20;

  virtual ~WatchFrameReader() = default;
  virtual void Feed(std::string_view bytes) = 0;
  // The next whole frame into `frame`, valid until the next call of Feed() or Next(); false: more
  // bytes are needed. InvalidArgument: not a watch event. ResourceExhausted: a frame above the
  // limit.
  virtual StatusOr<bool> Next(WatchFrame& frame) = 0;
  // Bytes of an incomplete frame.
  virtual size_t pending() const = 0;
};

std::unique_ptr<WatchFrameReader> MakeWatchFrameReader(
    Encoding encoding, size_t max_frame_bytes = WatchFrameReader::kMaxFrameBytes);

// One JSON object a line; blank lines are skipped.
class JsonWatchFrameReader final : public WatchFrameReader {
 public:
  explicit JsonWatchFrameReader(size_t max_frame_bytes = kMaxFrameBytes)
      : max_frame_bytes_(max_frame_bytes) {}

  void Feed(std::string_view bytes) override { buffer_.Append(bytes); }
  StatusOr<bool> Next(WatchFrame& frame) override;
  size_t pending() const override { return buffer_.unread().size(); }

 private:
  StatusOr<std::string_view> NextLine();

  const size_t max_frame_bytes_;
  FrameBuffer buffer_;
  size_t searched_ = 0;  // Unread bytes that are known to hold no newline.
};

// An event is: prefix, `{`, type prefix, rest, suffix.
inline constexpr std::string_view kAddedPrefix = R"({"type":"ADDED","object":{)";
inline constexpr std::string_view kModifiedPrefix = R"({"type":"MODIFIED","object":{)";
inline constexpr std::string_view kDeletedPrefix = R"({"type":"DELETED","object":{)";
inline constexpr std::string_view kEventSuffix = "}\n";

// Whole lines. `type_prefix` empty: a custom resource, keys sorted (`kind` and `api_version` are
// then used).
std::string BookmarkFrame(std::string_view kind, std::string_view api_version, bool sorted_keys,
                          Revision revision, bool initial_events_end);
std::string ErrorFrame(const ApiError& error);

// The code and message of the Status in an ERROR frame, or in any error body; {0, ""} where it is
// none.
struct StatusSummary {
  int code = 0;
  std::string reason, message;
};
StatusSummary ReadStatus(std::string_view json);

}  // namespace weir
