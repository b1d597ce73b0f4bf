#include "protocol/k8s/qualified_name.h"

#include <algorithm>
#include <string>

namespace weir {
namespace {

// DNS labels, joined by dots (RFC 1123).
bool IsName(std::string_view text, bool with_dots) {
  if (text.empty() || text.size() > 253) return false;
  const auto bad_end = [](char c) { return c == '-' || c == '.'; };
  if (bad_end(text.front()) || bad_end(text.back())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (with_dots && c == '.');
  });
}

std::string_view TakeDigits(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  return digits == 0 ? std::string_view("?") : text.substr(digits);
}

// v1, v2beta3 (apimachinery, version/helpers.go).
bool IsVersion(std::string_view text) {
  if (!text.starts_with('v')) return false;
  text = TakeDigits(text.substr(1));
  for (const std::string_view stage : {"alpha", "beta"}) {
    if (text.starts_with(stage)) return TakeDigits(text.substr(stage.size())).empty();
  }
  return text.empty();
}

}  // namespace

std::optional<ResourceId> ParseQualifiedName(std::string_view name) {
  const size_t dot = name.find('.');
  const std::string_view resource = name.substr(0, dot);
  if (!IsName(resource, false)) return std::nullopt;
  if (dot == std::string_view::npos) return ResourceId{"", "v1", std::string(resource)};
  const std::string_view rest = name.substr(dot + 1);
  const size_t second = rest.find('.');
  const std::string_view version = rest.substr(0, second);
  if (!IsVersion(version) || second == std::string_view::npos) return std::nullopt;
  const std::string_view group = rest.substr(second + 1);
  if (!IsName(group, true)) return std::nullopt;
  return ResourceId{std::string(group), std::string(version), std::string(resource)};
}

}  // namespace weir
