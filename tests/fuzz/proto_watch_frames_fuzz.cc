// Watch frames in protobuf must be the same whether the stream comes at once or in pieces of any
// size.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/proto_watch_frame.h"

namespace {

std::string Read(std::string_view stream, size_t piece) {
  weir::ProtobufWatchFrameReader reader(4096);
  std::string seen;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader.Feed(stream.substr(at, piece));
    for (weir::WatchFrame frame;;) {
      const auto more = reader.Next(frame);
      if (!more.ok()) return seen + "failed";
      if (!*more) break;
      seen.append(std::to_string(static_cast<int>(frame.type))).append(frame.kind);
      seen.append(frame.api_version).append(frame.object).append("\n");
      const auto revision = weir::ProtobufBookmarkRevision(frame.object);
      if (revision.ok()) seen += std::to_string(revision->value);
      seen += weir::ReadProtobufStatus(frame.object).message;
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  if (Read(stream, stream.size() + 1) != Read(stream, 1 + data[0])) std::abort();
  (void)weir::ReadProtobufStatus(stream);
  return 0;
}
