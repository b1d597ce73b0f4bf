// JSON text as Go's encoding/json writes it.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Appends `text` quoted: `<`, `>`, `&`, U+2028 and U+2029 as \u escapes, invalid UTF-8 as \ufffd.
void AppendJsonString(std::string_view text, std::string& out);

}  // namespace weir
