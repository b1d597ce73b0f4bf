// What requests and responses have in common before their start lines mean anything: lines, fields,
// framing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/http/message.h"

namespace weir::http {

enum class RawError : uint8_t {
  kNone,
  kMalformed,   // Lines, field names, folding.
  kFieldValue,  // A control byte in a value.
  kTooManyFields,
  kContentLength,   // Repeated, a list, not a plain decimal, beside Transfer-Encoding.
  kTransferCoding,  // Anything but one "chunked".
};

struct RawHead {
  std::string_view start_line;
  HeaderList headers;
  // From the fields alone.
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool transfer_encoding = false;  // The field is there.
  bool close = false;              // A `Connection` line names "close".
  RawError error = RawError::kNone;
};

// Cuts `head` (with its empty line) into lines that end in CRLF, every one, and reads the fields.
RawHead ReadRawHead(std::string_view head, size_t max_fields);

}  // namespace weir::http
