// Indented JSON as Go's json.Indent lays it out, with two spaces: what kube-apiserver sends to
// people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// Lays out one JSON text that comes in pieces. White space outside strings goes, so that a final
// newline does too. Any bytes are safe: only strings, brackets, commas and colons are looked at.
// Thread-affine; a few bytes of state.
class JsonIndenter {
 public:
  // Appends the layout of `text`, or of its beginning: stops once `out` holds `limit` bytes, of
  // which it oversteps at most one line's indentation (twice kMaxJsonDepth). Returns how many bytes
  // of `text` it took; the caller brings the rest.
  size_t Feed(std::string_view text, size_t limit, std::string& out);

 private:
  void NewLine(std::string& out) const;
  void Open(char bracket, std::string& out);
  void Close(char bracket, std::string& out);
  void Token(char c, std::string& out);

  uint32_t depth_ = 0;
  bool just_opened_ = false;  // Nothing yet behind the last opening bracket.
  bool in_string_ = false;
  bool escaped_ = false;  // The next byte of the string is escaped.
};

// The whole layout of `text` at once.
std::string IndentJson(std::string_view text);

}  // namespace weir
