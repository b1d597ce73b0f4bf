#include "protocol/base/json_indent.h"

#include <algorithm>
#include <limits>

#include "protocol/base/json_walk.h"

namespace weir {
namespace {

constexpr size_t kIndentWidth = 2;

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

// Where the string that `text` lies in has its next quote or backslash; at most text.size().
size_t FindStringMark(std::string_view text) {
  const auto* mark =
      std::find_if(text.begin(), text.end(), [](char c) { return c == '"' || c == '\\'; });
  return static_cast<size_t>(mark - text.begin());
}

}  // namespace

void JsonIndenter::NewLine(std::string& out) const {
  out += '\n';
  out.append(kIndentWidth * std::min(depth_, kMaxJsonDepth), ' ');
}

void JsonIndenter::Open(char bracket, std::string& out) {
  out += bracket;
  just_opened_ = true;
}

void JsonIndenter::Close(char bracket, std::string& out) {
  if (just_opened_) {
    just_opened_ = false;
  } else {
    if (depth_ > 0) --depth_;
    NewLine(out);
  }
  out += bracket;
}

// One byte outside strings.
void JsonIndenter::Token(char c, std::string& out) {
  if (IsSpace(c)) return;
  if (c == '}' || c == ']') return Close(c, out);
  if (just_opened_) {
    just_opened_ = false;
    ++depth_;
    NewLine(out);
  }
  if (c == '{' || c == '[') return Open(c, out);
  out += c;
  if (c == ',') {
    NewLine(out);
  } else if (c == ':') {
    out += ' ';
  } else if (c == '"') {
    in_string_ = true;
  }
}

size_t JsonIndenter::Feed(std::string_view text, size_t limit, std::string& out) {
  size_t at = 0;
  while (at < text.size() && out.size() < limit) {
    if (!in_string_) {
      Token(text[at++], out);
    } else if (escaped_) {
      escaped_ = false;
      out += text[at++];
    } else {
      const std::string_view window = text.substr(at, limit - out.size());
      const size_t plain = FindStringMark(window);
      out.append(window.substr(0, plain));
      at += plain;
      if (plain == window.size()) continue;
      in_string_ = text[at] != '"';
      escaped_ = in_string_;
      out += text[at++];
    }
  }
  return at;
}

std::string IndentJson(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 2);
  JsonIndenter().Feed(text, std::numeric_limits<size_t>::max(), out);
  return out;
}

}  // namespace weir
