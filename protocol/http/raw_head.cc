#include "protocol/http/raw_head.h"

#include <charconv>

#include "protocol/http/field_line.h"

namespace weir::http {
namespace {

constexpr uint64_t kMaxContentLength = (uint64_t{1} << 63) - 1;

// The next line without its CRLF; nothing where a line ends in another way.
std::optional<std::string_view> CutLine(std::string_view& rest) {
  const auto newline = rest.find('\n');
  if (newline == std::string_view::npos || newline == 0 || rest[newline - 1] != '\r') return {};
  const std::string_view line = rest.substr(0, newline - 1);
  rest.remove_prefix(newline + 1);
  return line;
}

std::optional<uint64_t> ParseContentLength(std::string_view text) {
  uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // from_chars takes digits only for an unsigned type: no sign, no space, no hex.
  if (text.empty() || error != std::errc() || stop != end || value > kMaxContentLength) return {};
  return value;
}

bool ListsClose(std::string_view value) {
  while (!value.empty()) {
    const auto comma = value.find(',');
    if (EqualsIgnoreCase(TrimSpace(value.substr(0, comma)), "close")) return true;
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  return false;
}

RawError NoteContentLength(const FieldLine& field, RawHead& head) {
  if (head.content_length) return RawError::kContentLength;
  head.content_length = ParseContentLength(field.value);
  return head.content_length ? RawError::kNone : RawError::kContentLength;
}

RawError NoteTransferEncoding(const FieldLine& field, RawHead& head) {
  // A tab beside the name is legal, but some servers do not trim it and miss the coding.
  if (head.transfer_encoding || !EqualsIgnoreCase(field.value, "chunked") ||
      field.raw.find('\t') != std::string_view::npos) {
    return RawError::kTransferCoding;
  }
  head.transfer_encoding = true;
  head.chunked = true;
  return RawError::kNone;
}

RawError NoteField(const FieldLine& field, RawHead& head) {
  if (EqualsIgnoreCase(field.name, "Content-Length")) return NoteContentLength(field, head);
  if (EqualsIgnoreCase(field.name, "Transfer-Encoding")) return NoteTransferEncoding(field, head);
  if (EqualsIgnoreCase(field.name, "Connection"))
    head.close = head.close || ListsClose(field.value);
  return RawError::kNone;
}

RawError ReadField(std::string_view line, size_t max_fields, RawHead& head) {
  const FieldLine field = ParseFieldLine(line);
  if (field.error == FieldLineError::kMalformed) return RawError::kMalformed;
  if (field.error == FieldLineError::kValue) return RawError::kFieldValue;
  if (head.headers.lines().size() == max_fields) return RawError::kTooManyFields;
  head.headers.Add(field.name, field.value);
  return NoteField(field, head);
}

}  // namespace

RawHead ReadRawHead(std::string_view head, size_t max_fields) {
  RawHead raw;
  const auto start = CutLine(head);
  if (!start || start->empty()) {
    raw.error = RawError::kMalformed;
    return raw;
  }
  raw.start_line = *start;
  while (raw.error == RawError::kNone) {
    const auto line = CutLine(head);
    if (!line) {
      raw.error = RawError::kMalformed;
      return raw;
    }
    if (line->empty()) break;
    raw.error = ReadField(*line, max_fields, raw);
  }
  if (raw.error != RawError::kNone) return raw;
  if (!head.empty()) raw.error = RawError::kMalformed;  // Bytes behind the empty line.
  // RFC 9112 §6.3 lets Transfer-Encoding win; whoever sends both is confused or an attacker.
  if (raw.transfer_encoding && raw.content_length) raw.error = RawError::kContentLength;
  return raw;
}

}  // namespace weir::http
