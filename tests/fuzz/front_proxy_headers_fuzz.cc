// The ConfigMap that names front proxies' headers: no input crashes, and no name is empty, which
// would be the beginning of all.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "proxy/upstream/front_proxy_headers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto headers = weir::ParseFrontProxyHeaders(text);
  if (!headers.ok()) return 0;
  for (const auto* const list : {&headers->names, &headers->prefixes}) {
    for (const std::string& name : *list) {
      if (name.empty()) std::abort();
    }
  }
  return 0;
}
