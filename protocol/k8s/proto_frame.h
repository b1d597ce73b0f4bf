// What Weir writes in protobuf around the messages that it keeps as received: envelopes, lists and
// watch events, byte for byte as upstream's serializer (api-semantics 3.1, 3.6, 5.4). Lengths come
// before what they count, so each part exists as its size and as its bytes.
//
//   object     magic, type meta, 12 len | message | tail
//   list       magic, type meta, 12 len { 0a len ListMeta | (12 len | item)… } | tail
//   event      length (4 bytes), 0a len type, 12 len { 0a len { object } }
//
// `type_meta` is everywhere what ProtoTypeMeta() gives; a `message` begins with its ObjectMeta.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/k8s/api_error.h"
#include "protocol/k8s/proto_wire.h"
#include "protocol/k8s/resource.h"

namespace weir {

inline constexpr std::string_view kProtoMagic{"k8s\0", 4};
// Content encoding and content type of runtime.Unknown, both empty.
inline constexpr std::string_view kProtoEnvelopeTail{"\x1a\x00\x22\x00", 4};

// Field 1 of runtime.Unknown: `0a len { 0a len apiVersion 12 len kind }`.
std::string ProtoTypeMeta(std::string_view api_version, std::string_view kind);

// An envelope up to its message; kProtoEnvelopeTail goes behind the message.
size_t ProtoEnvelopeHeadBytes(std::string_view type_meta, size_t message_bytes);
char* PutProtoEnvelopeHead(char* to, std::string_view type_meta, size_t message_bytes);

// A list up to its first item. `items_bytes` is the sum of ProtoItemBytes() of all items;
// `remaining` 0: not said. kProtoEnvelopeTail goes behind the last item.
std::string ProtoListHead(std::string_view type_meta, uint64_t revision,
                          std::string_view continue_token, uint64_t remaining,
                          uint64_t items_bytes);

// An item of `length` bytes is its head and then the message, or of a PartialObjectMetadataList the
// message's first field, tag included: PartialObjectMetadata has no other.
inline constexpr size_t kMaxProtoItemHead = 1 + kMaxVarintBytes;
inline char* PutProtoItemHead(char* to, size_t length) { return PutBytesHead(to, 2, length); }
inline size_t ProtoItemBytes(size_t length) { return BytesFieldBytes(2, length); }

// A watch event up to its message, its frame's length included; `type` is "ADDED" and so on.
// kProtoEnvelopeTail goes behind the message.
size_t ProtoEventHeadBytes(std::string_view type, std::string_view type_meta, size_t message_bytes);
char* PutProtoEventHead(char* to, std::string_view type, std::string_view type_meta,
                        size_t message_bytes);

// Whole frames. A bookmark's object has its metadata alone, whatever its type.
std::string ProtoBookmarkFrame(std::string_view type_meta, Revision revision,
                               bool initial_events_end);
std::string ProtoErrorFrame(const ApiError& error);

// A Status in its envelope: the body of an error. Where upstream always answers in JSON
// (ApiError::without_type) this is not to be used.
std::string ProtoStatus(const ApiError& error);

}  // namespace weir
