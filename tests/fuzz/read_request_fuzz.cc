// A request target of any bytes: classification never reads out of bounds, and what it serves has a
// name for everything.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/read_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  weir::http::RequestHead head;
  head.method = "GET";
  head.target.assign(reinterpret_cast<const char*>(data), size);
  const auto outcome = weir::ClassifyRead(head);
  if (const auto* request = std::get_if<weir::ReadRequest>(&outcome)) {
    if (request->resource.resource.empty() || request->resource.version.empty()) std::abort();
  }
  return 0;
}
