#include "protocol/k8s/proto_envelope.h"

#include <cstdint>

#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

// Of runtime.Unknown.
enum UnknownField : uint32_t { kTypeMeta = 1, kRaw = 2, kContentEncoding = 3 };

bool ReadTypeMeta(std::string_view type_meta, ProtoEnvelope& envelope) {
  ProtoReader reader(type_meta);
  for (ProtoField field; reader.Next(field);) {
    if (field.type != WireType::kBytes) return false;
    if (field.number == 1) envelope.api_version = field.bytes;
    if (field.number == 2) envelope.kind = field.bytes;
  }
  return !reader.failed();
}

bool ReadUnknown(std::string_view unknown, ProtoEnvelope& envelope) {
  uint32_t seen = 0;
  ProtoReader reader(unknown);
  for (ProtoField field; reader.Next(field);) {
    if (field.number > kContentEncoding) continue;
    const uint32_t bit = 1u << field.number;
    if (field.type != WireType::kBytes || (seen & bit) != 0) return false;
    seen |= bit;
    if (field.number == kTypeMeta && !ReadTypeMeta(field.bytes, envelope)) return false;
    if (field.number == kRaw) envelope.message = field.bytes;
    if (field.number == kContentEncoding && !field.bytes.empty()) return false;
  }
  return !reader.failed() && (seen & 1u << kRaw) != 0;
}

}  // namespace

StatusOr<ProtoEnvelope> OpenProtoEnvelope(std::string_view bytes) {
  ProtoEnvelope envelope;
  if (!bytes.starts_with(kProtoMagic) || !ReadUnknown(bytes.substr(kProtoMagic.size()), envelope)) {
    return InvalidArgument("protobuf: no envelope");
  }
  return envelope;
}

}  // namespace weir
