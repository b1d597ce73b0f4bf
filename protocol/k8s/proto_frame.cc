#include "protocol/k8s/proto_frame.h"

#include <cassert>

#include "fmt/format.h"

namespace weir {
namespace {

constexpr size_t kFrameLengthBytes = 4;

// Of the envelope around `message_bytes` bytes.
size_t EnvelopeBytes(std::string_view type_meta, size_t message_bytes) {
  return ProtoEnvelopeHeadBytes(type_meta, message_bytes) + message_bytes +
         kProtoEnvelopeTail.size();
}

// Of runtime.RawExtension, whose only field is the envelope.
size_t ExtensionBytes(std::string_view type_meta, size_t message_bytes) {
  return BytesFieldBytes(1, EnvelopeBytes(type_meta, message_bytes));
}

char* PutFrameLength(char* to, uint64_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) *to++ = static_cast<char>(length >> shift);
  return to;
}

std::string Frame(std::string_view type, std::string_view type_meta, std::string_view message) {
  std::string frame(ProtoEventHeadBytes(type, type_meta, message.size()), '\0');
  [[maybe_unused]] const char* const end =
      PutProtoEventHead(frame.data(), type, type_meta, message.size());
  assert(end == frame.data() + frame.size());
  return frame.append(message).append(kProtoEnvelopeTail);
}

std::string ListMeta(std::string_view revision, std::string_view continue_token,
                     uint64_t remaining) {
  std::string meta;
  AppendBytesField(meta, 1, "");  // selfLink
  AppendBytesField(meta, 2, revision);
  AppendBytesField(meta, 3, continue_token);
  if (remaining > 0) AppendVarintField(meta, 4, remaining);
  return meta;
}

// The ObjectMeta of an object that has nothing but a revision.
std::string BookmarkMeta(Revision revision, bool initial_events_end) {
  std::string meta;
  for (uint32_t number = 1; number <= 5; ++number) AppendBytesField(meta, number, "");
  AppendBytesField(meta, 6, std::to_string(revision.value));
  AppendVarintField(meta, 7, 0);  // generation
  AppendBytesField(meta, 8, "");  // creationTimestamp
  if (initial_events_end) {
    std::string annotation;
    AppendBytesField(annotation, 1, "k8s.io/initial-events-end");
    AppendBytesField(annotation, 2, "true");
    AppendBytesField(meta, 12, annotation);
  }
  return meta;
}

// As Go converts an int32.
uint64_t Number(int value) { return static_cast<uint64_t>(int64_t{value}); }

std::string StatusDetails(const ApiError::Details& details) {
  std::string out;
  AppendBytesField(out, 1, details.name);
  AppendBytesField(out, 2, details.group);
  AppendBytesField(out, 3, details.kind);
  for (const ApiError::Cause& cause : details.causes) {
    std::string inner;
    AppendBytesField(inner, 1, cause.reason);
    AppendBytesField(inner, 2, cause.message);
    AppendBytesField(inner, 3, cause.field);
    AppendBytesField(out, 4, inner);
  }
  AppendVarintField(out, 5, Number(details.retry_after_seconds));
  AppendBytesField(out, 6, "");  // uid
  return out;
}

std::string StatusMessage(const ApiError& error) {
  std::string out;
  AppendBytesField(out, 1, ListMeta("", error.continue_token, 0));
  AppendBytesField(out, 2, "Failure");
  AppendBytesField(out, 3, error.message);
  AppendBytesField(out, 4, error.reason);
  if (error.has_details) AppendBytesField(out, 5, StatusDetails(error.details));
  AppendVarintField(out, 6, Number(error.code));
  return out;
}

}  // namespace

std::string ProtoTypeMeta(std::string_view api_version, std::string_view kind) {
  std::string inner;
  AppendBytesField(inner, 1, api_version);
  AppendBytesField(inner, 2, kind);
  std::string field;
  AppendBytesField(field, 1, inner);
  return field;
}

size_t ProtoEnvelopeHeadBytes(std::string_view type_meta, size_t message_bytes) {
  return kProtoMagic.size() + type_meta.size() + BytesFieldBytes(2, message_bytes) - message_bytes;
}

char* PutProtoEnvelopeHead(char* to, std::string_view type_meta, size_t message_bytes) {
  return PutBytesHead(PutText(PutText(to, kProtoMagic), type_meta), 2, message_bytes);
}

std::string ProtoListHead(std::string_view type_meta, uint64_t revision,
                          std::string_view continue_token, uint64_t remaining,
                          uint64_t items_bytes) {
  std::string meta;
  AppendBytesField(meta, 1, ListMeta(std::to_string(revision), continue_token, remaining));
  const size_t message_bytes = meta.size() + items_bytes;
  std::string head(ProtoEnvelopeHeadBytes(type_meta, message_bytes), '\0');
  PutProtoEnvelopeHead(head.data(), type_meta, message_bytes);
  return head.append(meta);
}

size_t ProtoEventHeadBytes(std::string_view type, std::string_view type_meta,
                           size_t message_bytes) {
  const size_t behind_head = message_bytes + kProtoEnvelopeTail.size();
  return kFrameLengthBytes + BytesFieldBytes(1, type.size()) +
         BytesFieldBytes(2, ExtensionBytes(type_meta, message_bytes)) - behind_head;
}

char* PutProtoEventHead(char* to, std::string_view type, std::string_view type_meta,
                        size_t message_bytes) {
  const size_t extension = ExtensionBytes(type_meta, message_bytes);
  to = PutFrameLength(to, BytesFieldBytes(1, type.size()) + BytesFieldBytes(2, extension));
  to = PutText(PutBytesHead(to, 1, type.size()), type);
  to = PutBytesHead(to, 2, extension);
  to = PutBytesHead(to, 1, EnvelopeBytes(type_meta, message_bytes));
  return PutProtoEnvelopeHead(to, type_meta, message_bytes);
}

std::string ProtoBookmarkFrame(std::string_view type_meta, Revision revision,
                               bool initial_events_end) {
  std::string message;
  AppendBytesField(message, 1, BookmarkMeta(revision, initial_events_end));
  return Frame("BOOKMARK", type_meta, message);
}

std::string ProtoErrorFrame(const ApiError& error) {
  return Frame("ERROR", ProtoTypeMeta("v1", "Status"), StatusMessage(error));
}

std::string ProtoStatus(const ApiError& error) {
  const std::string type_meta = ProtoTypeMeta("v1", "Status");
  const std::string message = StatusMessage(error);
  std::string out(ProtoEnvelopeHeadBytes(type_meta, message.size()), '\0');
  PutProtoEnvelopeHead(out.data(), type_meta, message.size());
  return out.append(message).append(kProtoEnvelopeTail);
}

}  // namespace weir
