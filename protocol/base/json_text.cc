#include "protocol/base/json_text.h"

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "protocol/base/utf8.h"

namespace weir {
namespace {

constexpr char kHex[] = "0123456789abcdef";

bool IsLineSeparator(std::string_view sequence) {
  return sequence == "\xE2\x80\xA8" || sequence == "\xE2\x80\xA9";
}

bool NeedsEscape(uint8_t byte) {
  return byte < 0x20 || byte == '"' || byte == '\\' || byte == '<' || byte == '>' || byte == '&';
}

void AppendEscaped(uint8_t byte, std::string& out) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
  }
}

// The code unit of the `\uXXXX` at `at`; nothing where none stands there.
std::optional<uint32_t> CodeUnit(std::string_view text, size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  const char* const begin = text.data() + at + 2;
  uint32_t unit = 0;
  const auto [end, error] = std::from_chars(begin, begin + 4, unit, 16);
  return error == std::errc() && end == begin + 4 ? std::optional(unit) : std::nullopt;
}

bool IsHighSurrogate(uint32_t unit) { return unit >= 0xD800 && unit < 0xDC00; }
bool IsLowSurrogate(uint32_t unit) { return unit >= 0xDC00 && unit < 0xE000; }

void AppendUtf8(uint32_t rune, std::string& out) {
  const auto continuation = [&out, rune](unsigned shift) {
    out += static_cast<char>(0x80 | (rune >> shift & 0x3F));
  };
  if (rune < 0x80) {
    out += static_cast<char>(rune);
  } else if (rune < 0x800) {
    out += static_cast<char>(0xC0 | rune >> 6);
    continuation(0);
  } else if (rune < 0x10000) {
    out += static_cast<char>(0xE0 | rune >> 12);
    continuation(6);
    continuation(0);
  } else {
    out += static_cast<char>(0xF0 | rune >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

// Appends the character of the `\u` escape, or pair of them, at `at`; returns the length of what it
// took, 0 where none stands there.
size_t AppendCodePoint(std::string_view text, size_t at, std::string& out) {
  constexpr uint32_t kReplacement = 0xFFFD;
  const auto unit = CodeUnit(text, at);
  if (!unit) return 0;
  if (IsHighSurrogate(*unit)) {
    const auto low = CodeUnit(text, at + 6);
    if (low && IsLowSurrogate(*low)) {
      AppendUtf8(0x10000 + ((*unit - 0xD800) << 10 | (*low - 0xDC00)), out);
      return 12;
    }
  }
  const bool lone = IsHighSurrogate(*unit) || IsLowSurrogate(*unit);
  AppendUtf8(lone ? kReplacement : *unit, out);
  return 6;
}

// Of the escapes of one letter.
std::optional<char> Unescaped(char letter) {
  switch (letter) {
    case '"':
    case '\\':
    case '/':
      return letter;
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return std::nullopt;
  }
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if (byte < 0x80) {
      if (NeedsEscape(byte)) {
        AppendEscaped(byte, out);
      } else {
        out += text[i];
      }
      ++i;
      continue;
    }
    const size_t length = Utf8SequenceLength(text, i);
    if (length == 0) {
      out += "\\ufffd";
      ++i;
      continue;
    }
    const std::string_view sequence = text.substr(i, length);
    if (IsLineSeparator(sequence)) {
      out += sequence.back() == '\xA8' ? "\\u2028" : "\\u2029";
    } else {
      out += sequence;
    }
    i += length;
  }
  out += '"';
}

void AppendUnescapedJson(std::string_view inside, std::string& out) {
  for (size_t i = 0; i < inside.size();) {
    if (inside[i] == '\\') {
      const auto letter = i + 1 < inside.size() ? Unescaped(inside[i + 1]) : std::nullopt;
      const size_t taken = letter ? 2 : AppendCodePoint(inside, i, out);
      if (letter) out += *letter;
      if (taken > 0) {
        i += taken;
        continue;
      }
    }
    out += inside[i++];
  }
}

}  // namespace weir
