// Chunked transfer coding, strictly (RFC 9112 §7.1; auth-and-forwarding E.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/http/message.h"

namespace weir::http {

// Takes the coding off a body, piece by piece, without copying: the caller feeds bytes and gets
// views into them.
class ChunkDecoder {
 public:
  struct Piece {
    size_t consumed = 0;    // Bytes of the input that are done with.
    std::string_view data;  // Payload within the consumed bytes; may be empty.
  };

  // Consumes a prefix of `input`: framing and at most one run of payload. Call again with the rest
  // until it consumes nothing (more input is needed) or done(). InvalidArgument: bad framing; the
  // connection is lost.
  StatusOr<Piece> Next(std::string_view input);

  bool done() const { return state_ == State::kDone; }
  // Complete once done().
  const HeaderList& trailers() const { return trailers_; }

 private:
  enum class State : uint8_t { kSize, kData, kDataEnd, kTrailers, kDone };

  StatusOr<size_t> TakeLine(std::string_view input, size_t max_bytes,
                            std::optional<std::string_view>& line);
  StatusOr<size_t> TakeSize(std::string_view input);
  StatusOr<size_t> TakeDataEnd(std::string_view input);
  StatusOr<size_t> TakeTrailer(std::string_view input);

  State state_ = State::kSize;
  uint64_t remaining_ = 0;
  std::string line_;            // The size or trailer line being read. Bounded.
  bool line_complete_ = false;  // `line_` has been dealt with: the next line begins afresh.
  size_t trailer_bytes_ = 0;
  HeaderList trailers_;
};

// "1a2b\r\n" into `out`; returns its length. `out` has room for 18 bytes.
size_t WriteChunkHead(uint64_t size, char* out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace weir::http
