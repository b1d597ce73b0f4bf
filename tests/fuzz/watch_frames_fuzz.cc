// Watch frames must be the same whether the stream comes at once or in pieces of any size.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/watch_frame.h"

namespace {

std::string Read(std::string_view stream, size_t piece) {
  weir::JsonWatchFrameReader reader(4096);
  std::string seen;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader.Feed(stream.substr(at, piece));
    for (weir::WatchFrame frame;;) {
      const auto more = reader.Next(frame);
      if (!more.ok()) return seen + "failed";
      if (!*more) break;
      seen += std::to_string(static_cast<int>(frame.type)) + std::string(frame.object) + "\n";
      if (frame.type == weir::FrameType::kError) (void)weir::ReadStatus(frame.object);
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  if (Read(stream, stream.size() + 1) != Read(stream, 1 + data[0])) std::abort();
  return 0;
}
