// In which bytes objects come from upstream, and in which form a client gets them.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

// The bytes of a cache's objects, as upstream sent them: a feed and a cache for each that is asked.
enum class Encoding : uint8_t {
  kJson,
  kProtobuf,          // Built-in types: the bare message, without its envelope (api-semantics 5.4).
  kProtobufMetadata,  // Custom resources, which have no messages of their own:
                      // PartialObjectMetadata as protobuf, from a feed that asks for just that.
};
inline constexpr size_t kEncodings = 3;

inline constexpr bool IsProtobuf(Encoding encoding) { return encoding != Encoding::kJson; }
// "json", "protobuf", "protobuf-metadata": for logs, health checks and metrics.
constexpr std::string_view ToString(Encoding encoding) {
  constexpr std::string_view kNames[] = {"json", "protobuf", "protobuf-metadata"};
  return kNames[static_cast<size_t>(encoding)];
}

// How a client gets objects of a cache. All that is sent is a gather of the stored bytes.
struct Form {
  Encoding encoding = Encoding::kJson;  // Of the cache that answers.
  // PartialObjectMetadata(List) in place of the objects. Always so with kProtobufMetadata.
  bool metadata_only = false;
  // WATCH: each write is a gzip member of its own (api-semantics 3.11).
  bool gzip_members = false;
  friend bool operator==(const Form&, const Form&) = default;
};

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kYamlType = "application/yaml";
inline constexpr std::string_view kProtobufType = "application/vnd.kubernetes.protobuf";
// What a feed of this encoding accepts from upstream.
constexpr std::string_view FeedAccept(Encoding encoding, bool watch) {
  if (encoding == Encoding::kJson) return kJsonType;
  if (encoding == Encoding::kProtobuf) return kProtobufType;
  return watch ? "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
               : "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;"
                 "g=meta.k8s.io;v=v1";
}
inline constexpr std::string_view kProtobufWatchType =
    "application/vnd.kubernetes.protobuf;stream=watch";

}  // namespace weir
