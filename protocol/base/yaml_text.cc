#include "protocol/base/yaml_text.h"

#include <cstdint>

#include "fmt/format.h"
#include "protocol/base/utf8.h"

namespace weir {
namespace {

constexpr size_t kWidth = 80;

enum class Style : uint8_t { kPlain, kSingleQuoted, kDoubleQuoted, kLiteral };

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Of one sequence; beyond the basic plane yaml.v2 prints nothing as it is.
bool IsPrintable(std::string_view rune) {
  const auto first = static_cast<uint8_t>(rune[0]);
  if (rune.size() == 1) return first == '\n' || (first >= 0x20 && first <= 0x7E);
  if (rune.size() == 4 || rune == "\xE2\x80\xA8" || rune == "\xE2\x80\xA9") return false;
  if (first == 0xC2) return static_cast<uint8_t>(rune[1]) >= 0xA0;
  return rune != "\xEF\xBB\xBF" && rune != "\xEF\xBF\xBE" && rune != "\xEF\xBF\xBF";
}

// What decides on the style of a text that is not empty.
struct Analysis {
  bool indicators = false;   // Something that means something else where nothing is quoted.
  bool special = false;      // Needs escapes.
  bool breaks = false;       // \n
  bool outer_space = false;  // At the beginning or the end.
  bool space_before_break = false;
};

bool IsIndicator(std::string_view text, size_t i) {
  const bool ends_word = i + 1 >= text.size() || IsBlank(text[i + 1]);
  if (i == 0) {
    if (std::string_view("#,[]{}&*!|>'\"%@`").find(text[0]) != std::string_view::npos) return true;
    return (text[0] == '?' || text[0] == ':' || text[0] == '-') && ends_word;
  }
  if (text[i] == ':') return ends_word;
  return text[i] == '#' && IsBlank(text[i - 1]);
}

Analysis Analyze(std::string_view text) {
  Analysis result;
  result.indicators = text.starts_with("---") || text.starts_with("...");
  result.outer_space = text.front() == ' ' || text.back() == ' ';
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8SequenceLength(text, i);
    result.special |= !IsPrintable(text.substr(i, length));
    result.indicators |= IsIndicator(text, i);
    result.breaks |= text[i] == '\n';
    result.space_before_break |= i > 0 && text[i - 1] == ' ' && text[i] == '\n';
    i += length;
  }
  return result;
}

Style StyleOf(std::string_view text) {
  if (text.empty()) return Style::kDoubleQuoted;
  const Analysis analysis = Analyze(text);
  if (analysis.special) return Style::kDoubleQuoted;
  if (analysis.breaks) {
    const bool block = !analysis.space_before_break && text.back() != ' ';
    return block ? Style::kLiteral : Style::kDoubleQuoted;
  }
  if (!IsYamlString(text)) return Style::kDoubleQuoted;
  return analysis.indicators || analysis.outer_space ? Style::kSingleQuoted : Style::kPlain;
}

std::string Escape(std::string_view rune) {
  constexpr std::string_view kPlain("\0\a\b\t\n\v\f\r\x1b\"\\", 11);
  constexpr std::string_view kLetters = "0abtnvfre\"\\";
  if (const size_t at = kPlain.find(rune[0]); at != std::string_view::npos) {
    return std::string("\\") + kLetters[at];
  }
  auto code = static_cast<uint32_t>(static_cast<uint8_t>(rune[0]));
  if (rune.size() > 1) code &= 0xFFU >> (rune.size() + 1);
  for (const char c : rune.substr(1)) code = code << 6 | (static_cast<uint8_t>(c) & 0x3FU);
  switch (code) {
    case 0x85:
      return "\\N";
    case 0x2028:
      return "\\L";
    case 0x2029:
      return "\\P";
    default:
      break;
  }
  if (code <= 0xFF) return fmt::format("\\x{:02X}", code);
  return code <= 0xFFFF ? fmt::format("\\u{:04X}", code) : fmt::format("\\U{:08X}", code);
}

// Writes one string of valid UTF-8 behind what the last line of `out` already has.
class StringWriter {
 public:
  StringWriter(std::string_view text, size_t indent, std::string& out)
      : text_(text), indent_(indent), out_(out), column_(out.size() - (out.rfind('\n') + 1)) {}

  void Write(Style style) {
    Put(' ');
    if (style == Style::kLiteral) return WriteLiteral();
    const char quote = style == Style::kPlain ? '\0' : style == Style::kSingleQuoted ? '\'' : '"';
    if (quote != '\0') Put(quote);
    WriteFolded(quote);
    if (quote != '\0') Put(quote);
  }

 private:
  void Put(char c) {
    out_ += c;
    ++column_;
  }
  void Indent() {
    out_.append(indent_, ' ');
    column_ = indent_;
  }

  void WriteFolded(char quote) {
    bool after_space = false;
    for (size_t i = 0; i < text_.size();) {
      const size_t length = Utf8SequenceLength(text_, i);
      const std::string_view rune = text_.substr(i, length);
      if (rune == " ") {
        WriteSpace(i, quote, !after_space && column_ > kWidth);
      } else if (quote == '"' &&
                 (!IsPrintable(rune) || rune == "\n" || rune == "\"" || rune == "\\")) {
        const std::string escape = Escape(rune);
        out_ += escape;
        column_ += escape.size();
      } else {
        if (quote == '\'' && rune == "'") Put('\'');
        out_ += rune;
        ++column_;
      }
      after_space = rune == " ";
      i += length;
    }
  }

  // The space at `i`, or in its place a new line where `may_fold`.
  void WriteSpace(size_t i, char quote, bool may_fold) {
    const bool inside = i > 0 && i + 1 < text_.size();
    const bool before_space = inside && text_[i + 1] == ' ';
    if (!may_fold || !inside || (before_space && quote != '"')) return Put(' ');
    out_ += '\n';
    Indent();
    if (before_space) Put('\\');
  }

  void WriteLiteral() {
    Put('|');
    if (text_[0] == ' ' || text_[0] == '\n') Put('2');
    if (!text_.ends_with('\n')) {
      Put('-');
    } else if (text_ == "\n" || text_.ends_with("\n\n")) {
      Put('+');
    }
    out_ += '\n';
    bool begins_line = true;
    for (const char c : text_) {
      if (c != '\n' && begins_line) Indent();
      out_ += c;
      begins_line = c == '\n';
    }
  }

  const std::string_view text_;
  const size_t indent_;
  std::string& out_;
  size_t column_;  // In characters.
};

}  // namespace

void AppendYamlString(std::string_view text, size_t indent, std::string& out) {
  const std::string valid = ToValidUtf8(text);
  StringWriter(valid, indent, out).Write(StyleOf(valid));
  if (!out.ends_with('\n')) out += '\n';
}

}  // namespace weir
