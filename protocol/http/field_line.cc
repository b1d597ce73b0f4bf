#include "protocol/http/field_line.h"

#include <array>

namespace weir::http {
namespace {

constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> bytes{};
  for (const char c : std::string_view("!#$%&'*+-.^_`|~0123456789"
                                       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
    bytes[static_cast<uint8_t>(c)] = true;
  }
  return bytes;
}();

}  // namespace

bool IsToken(std::string_view text) {
  for (const char c : text) {
    if (!kTokenBytes[static_cast<uint8_t>(c)]) return false;
  }
  return !text.empty();
}

bool IsFieldText(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7F) return false;
  }
  return true;
}

std::string_view TrimSpace(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

FieldLine ParseFieldLine(std::string_view line) {
  FieldLine field;
  const auto colon = line.find(':');
  // A folded line begins with a space, which no token contains.
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    field.error = FieldLineError::kMalformed;
    return field;
  }
  field.name = line.substr(0, colon);
  field.raw = line.substr(colon + 1);
  field.value = TrimSpace(field.raw);
  if (!IsFieldText(field.value)) field.error = FieldLineError::kValue;
  return field;
}

}  // namespace weir::http
