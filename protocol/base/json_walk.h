// Steps over compact JSON without decoding it: where keys, strings and values begin and end.
//
// For bytes from a peer that writes correct JSON (the API server), of which we need a few values
// and relay the rest: any bytes are safe, but inside a value that is skipped only strings and the
// balance of brackets are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

// The deepest nesting accepted, as Go's encoding/json has it.
inline constexpr uint32_t kMaxJsonDepth = 10000;

// Finds where an object or array ends, in pieces, 64 bytes at a time.
class JsonNesting {
 public:
  static constexpr size_t kNotYet = SIZE_MAX;

  // Takes `bytes`, the first piece beginning with the opening bracket. Returns the offset just
  // behind the closing bracket, or kNotYet when it is not among them (or failed()).
  size_t Feed(std::string_view bytes);
  bool failed() const { return failed_; }  // Deeper than kMaxJsonDepth.

 private:
  size_t Block(const char* bytes, size_t length);

  uint32_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;  // The next byte is escaped.
  bool failed_ = false;
};

// A position in one JSON text. After failed() nothing else is meaningful. Does not recurse.
//
//   JsonWalk walk(text);
//   if (!walk.EnterObject()) return …;
//   for (std::string_view key; walk.NextKey(key);) {
//     if (key == "name") name = walk.String(); else walk.Skip();   // exactly one of them for each
//     key
//   }
//   if (walk.failed()) return …;                                    // else the position is behind
//   the closing brace
class JsonWalk {
 public:
  explicit JsonWalk(std::string_view text) : text_(text) {}

  bool failed() const { return failed_; }
  size_t position() const { return position_; }
  bool at_end() const { return position_ == text_.size(); }
  char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

  // Steps behind the opening brace; false, without a step, where no object begins.
  bool EnterObject();
  // Steps behind the next `"key":`. False at the end of the object (then behind it) or when it
  // failed. Keys are given as written: one with escapes is equal to no plain key.
  bool NextKey(std::string_view& key);
  // Steps over a value and returns it as written.
  std::string_view Skip();
  // Steps over a string and returns what stands between the quotes, as written. Fails where none
  // begins.
  std::string_view String();
  // As String(), and fails when it contains an escape.
  std::string_view PlainString();

 private:
  size_t StringEnd() const;

  std::string_view text_;
  size_t position_ = 0;
  bool failed_ = false;
};

}  // namespace weir
