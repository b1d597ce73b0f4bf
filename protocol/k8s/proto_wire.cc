#include "protocol/k8s/proto_wire.h"

#include <cstring>

namespace weir {

const char* ReadLongVarint(const char* at, const char* end, uint64_t& value) {
  constexpr unsigned kLastShift = 63;  // Of the tenth byte, which has room for one bit.
  value = 0;
  for (unsigned shift = 0; shift <= kLastShift && at != end; shift += 7) {
    const auto byte = static_cast<uint8_t>(*at++);
    if (shift == kLastShift && byte > 1) return nullptr;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    const bool shortest = byte != 0 || shift == 0;
    return shortest ? at : nullptr;
  }
  return nullptr;
}

char* PutText(char* to, std::string_view text) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

void AppendVarintField(std::string& out, uint32_t number, uint64_t value) {
  char bytes[2 * kMaxVarintBytes];
  char* const end = PutVarint(PutVarint(bytes, ProtoTag(number, WireType::kVarint)), value);
  out.append(bytes, end);
}

void AppendBytesField(std::string& out, uint32_t number, std::string_view bytes) {
  char head[2 * kMaxVarintBytes];
  out.append(head, PutBytesHead(head, number, bytes.size())).append(bytes);
}

}  // namespace weir
