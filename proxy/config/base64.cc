#include "proxy/config/base64.h"

#include <cstdint>

namespace weir {
namespace {

// 0..63, or -1. `plus` and `slash` are the alphabet's last two letters.
int ValueOf(char c, char plus, char slash) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == plus) return 62;
  if (c == slash) return 63;
  return -1;
}

std::optional<std::string> Decode(std::string_view text, char plus, char slash) {
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = ValueOf(c, plus, slash);
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xff);
    }
  }
  if (count >= 6) return std::nullopt;  // A lone letter carries no byte.
  return out;
}

}  // namespace

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string compact;
  compact.reserve(text.size());
  for (const char c : text) {
    if (c != '\n' && c != '\r') compact += c;
  }
  if (compact.size() % 4 != 0) return std::nullopt;
  std::string_view letters = compact;
  for (int i = 0; i < 2 && letters.ends_with('='); ++i) letters.remove_suffix(1);
  return Decode(letters, '+', '/');
}

std::optional<std::string> DecodeBase64Url(std::string_view text) { return Decode(text, '-', '_'); }

}  // namespace weir
