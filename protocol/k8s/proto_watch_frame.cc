#include "protocol/k8s/proto_watch_frame.h"

#include <cstdint>
#include <utility>

#include "fmt/format.h"
#include "protocol/k8s/object_identity.h"
#include "protocol/k8s/proto_envelope.h"
#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

constexpr size_t kLengthBytes = 4;

// Without the frame itself: messages are logged, objects are not.
Status NoEvent() { return InvalidArgument("watch: a frame that is no event"); }

uint32_t FrameLength(std::string_view bytes) {
  uint32_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
  return length;
}

// The only field of `number`, a string or message; null where there is none, or not one.
std::string_view OnlyBytes(std::string_view message, uint32_t number) {
  std::string_view found;
  ProtoReader reader(message);
  for (ProtoField field; reader.Next(field);) {
    if (field.number != number) continue;
    if (field.type != WireType::kBytes || found.data() != nullptr) return {};
    found = field.bytes;
  }
  return reader.failed() ? std::string_view() : found;
}

StatusOr<WatchFrame> ParseEvent(std::string_view event) {
  const auto type = FrameTypeOf(OnlyBytes(event, 1));
  if (!type) return NoEvent();
  const auto envelope = OpenProtoEnvelope(OnlyBytes(OnlyBytes(event, 2), 1));
  if (!envelope.ok()) return NoEvent();
  return WatchFrame{.type = *type,
                    .object = envelope->message,
                    .kind = envelope->kind,
                    .api_version = envelope->api_version};
}

}  // namespace

StatusOr<bool> ProtobufWatchFrameReader::Next(WatchFrame& frame) {
  const std::string_view bytes = buffer_.unread();
  if (bytes.size() < kLengthBytes) return false;
  const size_t length = FrameLength(bytes);
  if (length > max_frame_bytes_) {
    return ResourceExhausted(fmt::format("watch: a frame above {} bytes", max_frame_bytes_));
  }
  if (bytes.size() - kLengthBytes < length) return false;
  buffer_.Consume(kLengthBytes + length);
  WEIR_ASSIGN_OR_RETURN(frame, ParseEvent(bytes.substr(kLengthBytes, length)));
  return true;
}

StatusSummary ReadProtobufStatus(std::string_view bytes) {
  // No message begins as the magic does, with the beginning of a group.
  if (bytes.starts_with(kProtoMagic)) {
    const auto envelope = OpenProtoEnvelope(bytes);
    if (!envelope.ok() || envelope->kind != "Status") return {};
    bytes = envelope->message;
  }
  StatusSummary summary;
  ProtoReader reader(bytes);
  for (ProtoField field; reader.Next(field);) {
    const bool is_string = field.type == WireType::kBytes;
    const bool is_number = field.type == WireType::kVarint && std::in_range<int>(field.varint);
    if (field.number == 3 && is_string) summary.message = field.bytes;
    if (field.number == 4 && is_string) summary.reason = field.bytes;
    if (field.number == 6 && is_number) summary.code = static_cast<int>(field.varint);
  }
  if (reader.failed()) return {};
  return summary;
}

StatusOr<Revision> ProtobufBookmarkRevision(std::string_view message) {
  return ParseRevision(OnlyBytes(OnlyBytes(message, 1), 6));
}

}  // namespace weir
