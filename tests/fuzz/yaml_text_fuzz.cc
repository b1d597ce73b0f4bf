// Strings of any bytes as YAML, read by another library: they come back as they were, and what is
// taken for a plain string is one line.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "protocol/base/utf8.h"
#include "protocol/base/yaml_text.h"
#include "yaml-cpp/yaml.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// yaml-cpp reads the escape of U+0085 as one byte.
std::string AsRead(std::string text) {
  for (size_t at = 0; (at = text.find("\xC2\x85", at)) != std::string::npos;) text.erase(at, 1);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string yaml = "before: x\nkey:";
  weir::AppendYamlString(text, 2, yaml);
  Require(yaml.ends_with('\n'));
  const YAML::Node node = YAML::Load(yaml + "after: x\n");
  Require(node.size() == 3 && node["after"].Scalar() == "x");
  Require(node["key"].Scalar() == AsRead(weir::ToValidUtf8(text)));
  return 0;
}
