// What comes from the address of a replica: no input crashes, and what is believed says of itself
// the same again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proxy/rebalance/replica_load.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto load = weir::ParseLoadAnswer(bytes);
  if (!load.ok()) return 0;
  if (bytes.size() > weir::kMaxLoadAnswer || bytes.find("200") == std::string_view::npos)
    std::abort();
  const std::string json = weir::ToJson(*load);
  const auto again = weir::ParseLoadAnswer(
      "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(json.size()) + "\r\n\r\n" + json);
  if (!again.ok() || !(*again == *load)) std::abort();
  return 0;
}
