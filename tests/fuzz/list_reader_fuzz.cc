// A LIST body must read the same whether it comes at once or in pieces of any size; items go
// through the metadata scan.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/list_reader.h"
#include "protocol/k8s/metadata_scan.h"

namespace {

std::string Read(std::string_view body, size_t piece) {
  std::string seen;
  weir::JsonListReader reader(
      [&seen](std::string_view item) {
        seen.append(item).append("\n");
        seen.append(weir::MetadataScanner(weir::Encoding::kJson,
                                          weir::SelectableFields::BuiltIn({"", "v1", "pods"}))
                            .Scan(item)
                            .ok()
                        ? "ok\n"
                        : "no\n");
        return weir::OkStatus();
      },
      4096);
  for (size_t at = 0; at < body.size(); at += piece) {
    if (!reader.Feed(body.substr(at, piece)).ok()) break;
  }
  const auto summary = reader.Finish();
  if (!summary.ok()) return seen + "failed";
  return seen + summary->kind + summary->api_version + summary->resource_version +
         summary->continue_token;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  if (Read(body, body.size() + 1) != Read(body, 1 + data[0])) std::abort();
  return 0;
}
