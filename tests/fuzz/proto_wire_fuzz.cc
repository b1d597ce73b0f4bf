// The wire reader: what it accepts, written again field by field, is the same bytes, at any depth.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/proto_wire.h"

namespace {

constexpr int kMaxDepth = 8;

// The message again; `failed` where it is none.
std::string Rewrite(std::string_view message, int depth, bool& failed) {
  weir::ProtoReader reader(message);
  std::string out;
  for (weir::ProtoField field; reader.Next(field);) {
    if (field.type == weir::WireType::kVarint) {
      weir::AppendVarintField(out, field.number, field.varint);
    } else if (field.type == weir::WireType::kBytes) {
      bool no_message = depth >= kMaxDepth;
      const std::string inner = no_message ? "" : Rewrite(field.bytes, depth + 1, no_message);
      weir::AppendBytesField(out, field.number, no_message ? field.bytes : inner);
    } else {
      char tag[weir::kMaxVarintBytes];
      out.append(tag, weir::PutVarint(tag, weir::ProtoTag(field.number, field.type)));
      out.append(field.bytes);
    }
    if (reader.position() != out.size()) std::abort();
  }
  failed = failed || reader.failed();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  bool failed = false;
  const std::string again = Rewrite(message, 0, failed);
  if (!failed && again != message) std::abort();
  return 0;
}
