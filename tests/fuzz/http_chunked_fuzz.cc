// Chunked bodies: the payload does not depend on how the bytes arrive, and survives being encoded
// again. The first byte chooses the step.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/http/chunked.h"

namespace {

struct Decoded {
  bool ok = true;
  bool done = false;
  std::string data;
  size_t consumed = 0;
};

Decoded Decode(std::string_view wire, size_t step) {
  weir::http::ChunkDecoder decoder;
  Decoded result;
  std::string pending;
  while (!wire.empty() && !decoder.done()) {
    pending += wire.substr(0, step);
    wire.remove_prefix(std::min(step, wire.size()));
    while (!decoder.done()) {
      const auto piece = decoder.Next(pending);
      if (!piece.ok()) {
        result.ok = false;
        return result;
      }
      if (piece->consumed == 0) break;
      result.data += piece->data;
      result.consumed += piece->consumed;
      pending.erase(0, piece->consumed);
    }
  }
  result.done = decoder.done();
  return result;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Decoded whole = Decode(wire, wire.size() + 1);
  const Decoded pieces = Decode(wire, size_t{data[0]} + 1);
  Require(whole.ok == pieces.ok && whole.done == pieces.done);
  if (!whole.ok) return 0;
  Require(whole.data == pieces.data && whole.consumed == pieces.consumed);
  Require(whole.data.size() <= wire.size());

  // Encoded afresh it decodes to the same.
  char head[18];
  std::string again;
  if (!whole.data.empty()) {
    again.assign(head, weir::http::WriteChunkHead(whole.data.size(), head));
    again += whole.data + "\r\n";
  }
  again += weir::http::kLastChunk;
  const Decoded second = Decode(again, 5);
  Require(second.ok && second.done && second.data == whole.data);
  return 0;
}
