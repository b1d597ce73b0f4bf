// The metadata scan against simdjson's whole parser: where both accept an object they must agree on
// it.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

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

// Whether no key of the path is there twice: which of two counts is another question.
bool Unambiguous(std::string_view item, const std::vector<std::string>& path) {
  for (const std::string& key : path) {
    const std::string quoted = '"' + key + '"';
    const size_t first = item.find(quoted);
    if (first != item.rfind(quoted)) return false;
  }
  return true;
}

// As simdjson reads it: a string, or a boolean; "" for all else.
std::string Scalar(simdjson::dom::element root, const std::vector<std::string>& path) {
  for (const std::string& key : path) {
    if (root[key].get(root) != simdjson::SUCCESS) return "";
  }
  std::string_view text;
  if (root.get(text) == simdjson::SUCCESS) return std::string(text);
  bool flag = false;
  if (root.get(flag) == simdjson::SUCCESS) return flag ? "true" : "false";
  return "";
}

void CheckFields(std::string_view item, const weir::ScannedObject& scanned,
                 const weir::SelectableFields& fields, simdjson::dom::element root) {
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto& path = fields[i].json_path;
    if (path.empty() || !Unambiguous(item, path)) continue;
    const std::string_view raw = scanned.fields[i].In(scanned.rest);
    std::string scratch;
    const std::string_view text = fields[i].Text(raw, weir::Encoding::kJson, scratch);
    const std::string expected = Scalar(root, path);
    if (expected.empty()) continue;  // A number in a field that has none, or nothing.
    Check(text == expected);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view item(reinterpret_cast<const char*>(data), size);
  const auto fields = weir::SelectableFields::BuiltIn({"", "v1", "pods"});
  const auto scanned = weir::MetadataScanner(weir::Encoding::kJson, fields).Scan(item);
  if (!scanned.ok()) return 0;

  Check("{" + std::string(scanned->type_prefix) + std::string(scanned->rest) == item);
  Check(scanned->metadata.In(scanned->rest).starts_with('{'));
  Check(std::to_string(scanned->revision.value).size() <= scanned->revision_digits.length);

  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(item.data(), item.size()).get(root) != simdjson::SUCCESS) return 0;
  if (item.find("\\u00") == std::string_view::npos) CheckFields(item, *scanned, *fields, root);
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
