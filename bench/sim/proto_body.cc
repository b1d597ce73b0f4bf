#include "bench/sim/proto_body.h"

#include <fmt/format.h>

#include <ctime>
#include <optional>
#include <span>
#include <string>

namespace weir::sim {
namespace {

constexpr std::string_view kMagic("k8s\0", 4);
constexpr int kMaxDepth = 8;

enum class Kind : uint8_t {
  kText,
  kBytes,
  kNumber,
  kBool,
  kTime,
  kMicroTime,
  kTextMap,
  kBytesMap,
  kMessage
};

struct Field {
  uint32_t number;
  const char* name;
  Kind kind;
  std::span<const Field> message = {};
  bool repeated = false;
};
using Message = std::span<const Field>;

constexpr Field kOwnerReference[] = {
    {5, "apiVersion", Kind::kText}, {1, "kind", Kind::kText},
    {3, "name", Kind::kText},       {4, "uid", Kind::kText},
    {6, "controller", Kind::kBool}, {7, "blockOwnerDeletion", Kind::kBool}};
constexpr Field kMetadata[] = {{1, "name", Kind::kText},
                               {2, "generateName", Kind::kText},
                               {3, "namespace", Kind::kText},
                               {5, "uid", Kind::kText},
                               {6, "resourceVersion", Kind::kText},
                               {11, "labels", Kind::kTextMap},
                               {12, "annotations", Kind::kTextMap},
                               {13, "ownerReferences", Kind::kMessage, kOwnerReference, true},
                               {14, "finalizers", Kind::kText, {}, true}};
constexpr Field kConfigMap[] = {{1, "metadata", Kind::kMessage, kMetadata},
                                {2, "data", Kind::kTextMap},
                                {3, "binaryData", Kind::kBytesMap},
                                {4, "immutable", Kind::kBool}};
constexpr Field kSecret[] = {{1, "metadata", Kind::kMessage, kMetadata},
                             {2, "data", Kind::kBytesMap},
                             {3, "type", Kind::kText},
                             {5, "immutable", Kind::kBool}};
constexpr Field kMetadataOnly[] = {{1, "metadata", Kind::kMessage, kMetadata}};
constexpr Field kLeaseSpec[] = {{1, "holderIdentity", Kind::kText},
                                {2, "leaseDurationSeconds", Kind::kNumber},
                                {3, "acquireTime", Kind::kMicroTime},
                                {4, "renewTime", Kind::kMicroTime},
                                {5, "leaseTransitions", Kind::kNumber}};
constexpr Field kLease[] = {{1, "metadata", Kind::kMessage, kMetadata},
                            {2, "spec", Kind::kMessage, kLeaseSpec}};
constexpr Field kTokenSpec[] = {{1, "token", Kind::kText}, {2, "audiences", Kind::kText, {}, true}};
constexpr Field kTokenReview[] = {{1, "metadata", Kind::kMessage, kMetadata},
                                  {2, "spec", Kind::kMessage, kTokenSpec}};
constexpr Field kResource[] = {{1, "namespace", Kind::kText}, {2, "verb", Kind::kText},
                               {3, "group", Kind::kText},     {4, "version", Kind::kText},
                               {5, "resource", Kind::kText},  {6, "subresource", Kind::kText},
                               {7, "name", Kind::kText}};
constexpr Field kNonResource[] = {{1, "path", Kind::kText}, {2, "verb", Kind::kText}};
constexpr Field kAccessSpec[] = {{1, "resourceAttributes", Kind::kMessage, kResource},
                                 {2, "nonResourceAttributes", Kind::kMessage, kNonResource},
                                 {3, "user", Kind::kText},
                                 {4, "groups", Kind::kText, {}, true},
                                 {6, "uid", Kind::kText}};
constexpr Field kAccessReview[] = {{1, "metadata", Kind::kMessage, kMetadata},
                                   {2, "spec", Kind::kMessage, kAccessSpec}};
constexpr Field kPreconditions[] = {{1, "uid", Kind::kText}, {2, "resourceVersion", Kind::kText}};
constexpr Field kDeleteOptions[] = {{2, "preconditions", Kind::kMessage, kPreconditions},
                                    {4, "propagationPolicy", Kind::kText}};

std::optional<Message> MessageOf(std::string_view kind) {
  if (kind == "ConfigMap") return kConfigMap;
  if (kind == "Secret") return kSecret;
  if (kind == "Namespace" || kind == "ServiceAccount" || kind == "SelfSubjectReview")
    return kMetadataOnly;
  if (kind == "Lease") return kLease;
  if (kind == "TokenReview") return kTokenReview;
  if (kind == "SubjectAccessReview" || kind == "SelfSubjectAccessReview" ||
      kind == "LocalSubjectAccessReview") {
    return kAccessReview;
  }
  if (kind == "DeleteOptions") return kDeleteOptions;
  return {};
}

// One field of the wire format: a number, and either a varint or bytes.
struct WireField {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
  bool has_bytes = false;
};

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}
  bool failed() const { return failed_; }

  bool Next(WireField& field) {
    if (rest_.empty() || failed_) return false;
    field = {};
    const uint64_t tag = Varint();
    field.number = static_cast<uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0:
        field.value = Varint();
        break;
      case 1:
        Take(8);
        break;
      case 2:
        field.bytes = Take(Varint());
        field.has_bytes = true;
        break;
      case 5:
        Take(4);
        break;
      default:
        failed_ = true;
    }
    return !failed_;
  }

 private:
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    failed_ = true;
    return 0;
  }
  std::string_view Take(uint64_t size) {
    if (failed_ || size > rest_.size()) {
      failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, static_cast<size_t>(size));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0u);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += i + j > bytes.size() ? '=' : kAlphabet[group >> (18 - 6 * j) & 63];
    }
  }
  return out;
}

// Time and MicroTime are {1: seconds, 2: nanoseconds}.
std::string TimeOf(std::string_view bytes, bool micro) {
  WireReader reader(bytes);
  int64_t seconds = 0;
  int64_t nanos = 0;
  for (WireField field; reader.Next(field);) {
    if (field.number == 1) seconds = static_cast<int64_t>(field.value);
    if (field.number == 2) nanos = static_cast<int64_t>(field.value);
  }
  const auto time = static_cast<std::time_t>(seconds);
  std::tm utc{};
  if (seconds == 0 || gmtime_r(&time, &utc) == nullptr) return {};
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900,
                                 utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  if (micro) text += fmt::format(".{:06}", nanos / 1000 % 1'000'000);
  return text + "Z";
}

void AddMapEntry(std::string_view bytes, bool encode, JsonObject& map) {
  WireReader reader(bytes);
  std::string_view key, value;
  for (WireField field; reader.Next(field);) {
    if (field.number == 1) key = field.bytes;
    if (field.number == 2) value = field.bytes;
  }
  if (encode) {
    map[boost::json::string_view(key.data(), key.size())] = Base64(value);
  } else {
    map[boost::json::string_view(key.data(), key.size())] = value;
  }
}

Status ReadMessage(std::string_view bytes, Message message, int depth, JsonObject& out);

StatusOr<Json> ReadValue(const WireField& wire, const Field& field, int depth) {
  switch (field.kind) {
    case Kind::kText:
      return wire.bytes.empty() ? Json() : Json(wire.bytes);
    case Kind::kBytes:
      return Json(Base64(wire.bytes));
    case Kind::kNumber:
      return wire.value == 0 ? Json() : Json(static_cast<int64_t>(wire.value));
    case Kind::kBool:
      return wire.value == 0 ? Json() : Json(true);
    case Kind::kTime:
    case Kind::kMicroTime: {
      const std::string text = TimeOf(wire.bytes, field.kind == Kind::kMicroTime);
      return text.empty() ? Json() : Json(text);
    }
    default:
      break;
  }
  JsonObject inner;
  WEIR_TRY(ReadMessage(wire.bytes, field.message, depth + 1, inner));
  return Json(std::move(inner));
}

Status ReadMessage(std::string_view bytes, Message message, int depth, JsonObject& out) {
  if (depth > kMaxDepth) return InvalidArgument("protobuf nested too deeply");
  WireReader reader(bytes);
  for (WireField wire; reader.Next(wire);) {
    for (const Field& field : message) {
      if (field.number != wire.number) continue;
      if (field.kind == Kind::kTextMap || field.kind == Kind::kBytesMap) {
        AddMapEntry(wire.bytes, field.kind == Kind::kBytesMap, ObjectAt(out, field.name));
        continue;
      }
      WEIR_ASSIGN_OR_RETURN(Json value, ReadValue(wire, field, depth));
      if (value.is_null()) continue;
      if (!field.repeated) {
        out[field.name] = std::move(value);
        continue;
      }
      Json& list = out[field.name];
      if (!list.is_array()) list.emplace_array();
      list.get_array().push_back(std::move(value));
    }
  }
  if (reader.failed()) return InvalidArgument("malformed protobuf");
  return OkStatus();
}

}  // namespace

StatusOr<Json> ParseProtobufBody(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return InvalidArgument("not a Kubernetes protobuf message");
  WireReader envelope(bytes.substr(kMagic.size()));
  std::string_view type, raw;
  for (WireField field; envelope.Next(field);) {
    if (field.number == 1) type = field.bytes;
    if (field.number == 2) raw = field.bytes;
  }
  WireReader type_reader(type);
  std::string_view api_version, kind;
  for (WireField field; type_reader.Next(field);) {
    if (field.number == 1) api_version = field.bytes;
    if (field.number == 2) kind = field.bytes;
  }
  if (envelope.failed() || type_reader.failed()) return InvalidArgument("malformed protobuf");
  const auto message = MessageOf(kind);
  if (!message)
    return InvalidArgument(
        fmt::format("protobuf of kind \"{}\" is not understood; send JSON", kind));
  JsonObject object;
  object["kind"] = kind;
  object["apiVersion"] = api_version;
  WEIR_TRY(ReadMessage(raw, *message, 0, object));
  return Json(std::move(object));
}

}  // namespace weir::sim
