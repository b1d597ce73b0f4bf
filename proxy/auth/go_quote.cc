#include "proxy/auth/go_quote.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace weir {
namespace {

struct Decoded {
  char32_t rune = 0;
  size_t size = 0;  // 0: the first byte begins no rune.
};

// As Go: shortest forms only, no surrogates, at most U+10FFFF.
Decoded DecodeRune(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {.rune = lead, .size = 1};
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
  char32_t rune = lead & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    rune = (rune << 6) | (byte(i) & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < kSmallest[size] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return {};
  return {.rune = rune, .size = size};
}

// The letter after the backslash, or 0.
char ShortEscape(char32_t rune) {
  switch (rune) {
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    case '"':
      return '"';
    case '\\':
      return '\\';
    default:
      return 0;
  }
}

void AppendEscaped(char32_t rune, std::string& out) {
  const auto number = static_cast<uint32_t>(rune);
  const auto to = std::back_inserter(out);
  if (number < 0x20 || number == 0x7f) {
    fmt::format_to(to, "\\x{:02x}", number);
  } else if (number < 0x10000) {
    fmt::format_to(to, "\\u{:04x}", number);
  } else {
    fmt::format_to(to, "\\U{:08x}", number);
  }
}

}  // namespace

void AppendGoQuoted(std::string_view text, std::string& out) {
  out += '"';
  while (!text.empty()) {
    const auto [rune, size] = DecodeRune(text);
    if (size == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (const char letter = ShortEscape(rune); letter != 0) {
      out += '\\';
      out += letter;
    } else if (IsPrintableRune(rune)) {
      out += text.substr(0, size);
    } else {
      AppendEscaped(rune, out);
    }
    text.remove_prefix(size);
  }
  out += '"';
}

}  // namespace weir
