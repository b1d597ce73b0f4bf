#include "protocol/http/chunked.h"

#include <algorithm>

#include "protocol/http/field_line.h"

namespace weir::http {
namespace {

constexpr size_t kMaxSizeDigits = 16;
constexpr size_t kMaxExtensionBytes = 256;
constexpr size_t kMaxSizeLine = kMaxSizeDigits + kMaxExtensionBytes + 2;
constexpr size_t kMaxTrailerBytes = size_t{4} << 10;  // Go's server takes no more either.

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "1a;name=value" without its line end.
StatusOr<uint64_t> ParseSizeLine(std::string_view line) {
  uint64_t size = 0;
  size_t digits = 0;
  for (; digits < line.size(); ++digits) {
    const int value = HexValue(line[digits]);
    if (value < 0) break;
    if (digits == kMaxSizeDigits) return InvalidArgument("http chunk length too large");
    size = size << 4 | static_cast<uint64_t>(value);
  }
  const std::string_view extension = line.substr(digits);
  if (digits == 0 || (!extension.empty() && extension.front() != ';')) {
    return InvalidArgument("invalid byte in chunk length");
  }
  if (extension.size() > kMaxExtensionBytes) return InvalidArgument("chunk extension too long");
  if (!IsFieldText(extension)) return InvalidArgument("invalid byte in chunk extension");
  return size;
}

// Fields that would change what the message is, or where it ends, after the fact (RFC 9110 §6.5.1).
bool AllowedInTrailers(std::string_view name) {
  return !EqualsIgnoreCase(name, "Transfer-Encoding") &&
         !EqualsIgnoreCase(name, "Content-Length") && !EqualsIgnoreCase(name, "Host") &&
         !EqualsIgnoreCase(name, "Trailer") && !EqualsIgnoreCase(name, "Authorization");
}

}  // namespace

// Takes a line up to its CRLF out of `input`, over several calls if need be: `line` is set once it
// is whole, and stays valid until the next call.
StatusOr<size_t> ChunkDecoder::TakeLine(std::string_view input, size_t max_bytes,
                                        std::optional<std::string_view>& line) {
  if (line_complete_) {
    line_.clear();
    line_complete_ = false;
  }
  const auto newline = input.find('\n');
  const size_t taken = newline == std::string_view::npos ? input.size() : newline + 1;
  if (line_.size() + taken > max_bytes) return InvalidArgument("chunk framing line too long");
  line_.append(input.substr(0, taken));
  if (newline == std::string_view::npos) return taken;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
    return InvalidArgument("chunked line ends with bare LF");
  }
  line = std::string_view(line_).substr(0, line_.size() - 2);
  line_complete_ = true;
  return taken;
}

StatusOr<size_t> ChunkDecoder::TakeSize(std::string_view input) {
  std::optional<std::string_view> line;
  WEIR_ASSIGN_OR_RETURN(const size_t taken, TakeLine(input, kMaxSizeLine, line));
  if (line) {
    WEIR_ASSIGN_OR_RETURN(remaining_, ParseSizeLine(*line));
    state_ = remaining_ > 0 ? State::kData : State::kTrailers;
  }
  return taken;
}

StatusOr<size_t> ChunkDecoder::TakeDataEnd(std::string_view input) {
  std::optional<std::string_view> line;
  auto taken = TakeLine(input, 2, line);
  if (!taken.ok() || (line && !line->empty())) {
    return InvalidArgument("malformed chunked encoding");
  }
  if (line) state_ = State::kSize;
  return *taken;
}

StatusOr<size_t> ChunkDecoder::TakeTrailer(std::string_view input) {
  std::optional<std::string_view> line;
  WEIR_ASSIGN_OR_RETURN(const size_t taken,
                        TakeLine(input, kMaxTrailerBytes - trailer_bytes_, line));
  if (!line) return taken;
  trailer_bytes_ += line_.size();
  if (line->empty()) {
    state_ = State::kDone;
    return taken;
  }
  const FieldLine field = ParseFieldLine(*line);
  if (field.error != FieldLineError::kNone || !AllowedInTrailers(field.name)) {
    return InvalidArgument("malformed trailer");
  }
  trailers_.Add(field.name, field.value);
  return taken;
}

StatusOr<ChunkDecoder::Piece> ChunkDecoder::Next(std::string_view input) {
  Piece piece;
  while (piece.consumed < input.size() && state_ != State::kDone) {
    const std::string_view rest = input.substr(piece.consumed);
    if (state_ == State::kData) {
      const size_t run = static_cast<size_t>(std::min<uint64_t>(remaining_, rest.size()));
      piece.data = rest.substr(0, run);
      piece.consumed += run;
      remaining_ -= run;
      if (remaining_ == 0) state_ = State::kDataEnd;
      return piece;
    }
    const auto taken = state_ == State::kSize      ? TakeSize(rest)
                       : state_ == State::kDataEnd ? TakeDataEnd(rest)
                                                   : TakeTrailer(rest);
    if (!taken.ok()) return taken.status();
    piece.consumed += *taken;
  }
  return piece;
}

size_t WriteChunkHead(uint64_t size, char* out) {
  constexpr char kDigits[] = "0123456789abcdef";
  size_t digits = 1;
  while (digits < kMaxSizeDigits && size >> (4 * digits) != 0) ++digits;
  for (size_t i = 0; i < digits; ++i) out[i] = kDigits[size >> (4 * (digits - 1 - i)) & 0xF];
  out[digits] = '\r';
  out[digits + 1] = '\n';
  return digits + 2;
}

}  // namespace weir::http
