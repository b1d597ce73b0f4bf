// One field line of a head or a trailer section, and the character classes of RFC 9110 §5.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::http {

// A non-empty run of RFC 9110 `tchar`.
bool IsToken(std::string_view text);
// No control byte but the tab, no DEL. Bytes of 0x80 and above are let through, as Go does.
bool IsFieldText(std::string_view text);
// Without spaces and tabs at both ends.
std::string_view TrimSpace(std::string_view text);

enum class FieldLineError : uint8_t {
  kNone,
  kMalformed,  // Folded, no colon, an empty or illegal name, space before the colon.
  kValue,      // A control byte in the value.
};

struct FieldLine {
  std::string_view name;
  std::string_view value;  // Trimmed.
  std::string_view raw;    // All that follows the colon.
  FieldLineError error = FieldLineError::kNone;
};

// `line` comes without its line end. The views point into it.
FieldLine ParseFieldLine(std::string_view line);

}  // namespace weir::http
