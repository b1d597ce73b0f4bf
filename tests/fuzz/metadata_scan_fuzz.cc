// The metadata scan against simdjson's whole parser: where both accept an object they must agree on
// it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/metadata_scan.h"
#include "simdjson.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

std::string_view Text(simdjson::dom::element root, const char* outer, const char* inner) {
  std::string_view text;
  const auto value = outer == nullptr ? root[inner] : root[outer][inner];
  return value.get(text) == simdjson::SUCCESS ? text : std::string_view();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view item(reinterpret_cast<const char*>(data), size);
  const auto scanned = weir::MetadataScanner(weir::Encoding::kJson,
                                             weir::SelectableFields::BuiltIn({"", "v1", "pods"}))
                           .Scan(item);
  if (!scanned.ok()) return 0;

  Check("{" + std::string(scanned->type_prefix) + std::string(scanned->rest) == item);
  Check(scanned->metadata.In(scanned->rest).starts_with('{'));
  Check(std::to_string(scanned->revision.value).size() <= scanned->revision_digits.length);

  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(item.data(), item.size()).get(root) != simdjson::SUCCESS) return 0;
  // A key with escapes may hide a second key of the same meaning; upstream writes none.
  if (item.find('\\') != std::string_view::npos) return 0;
  Check(Text(root, "metadata", "name") == scanned->name);
  Check(Text(root, "metadata", "namespace") == scanned->namespace_);
  Check(Text(root, "metadata", "uid") == scanned->uid);
  Check(Text(root, "metadata", "resourceVersion") == scanned->revision_digits.In(scanned->rest));
  Check(Text(root, nullptr, "kind") == scanned->kind);
  Check(Text(root, nullptr, "apiVersion") == scanned->api_version);
  return 0;
}
