// Text as Go's %q prints it: what upstream's messages are made of.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// strconv.Quote: `"`, `\` and control characters escaped, non-printable runes as \u200b or
// \U000e0001, bytes that are no UTF-8 as \xff.
void AppendGoQuoted(std::string_view text, std::string& out);

// strconv.IsPrint.
bool IsPrintableRune(char32_t rune);

}  // namespace weir
