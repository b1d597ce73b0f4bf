// JSON strings as Go's encoding/json writes and reads them.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Appends `text` quoted: `<`, `>`, `&`, U+2028 and U+2029 as \u escapes, invalid UTF-8 as \ufffd.
void AppendJsonString(std::string_view text, std::string& out);

// Appends the text of a JSON string of which `inside` is what stands between the quotes. A lone
// surrogate becomes U+FFFD; what is no escape of JSON, which Go refuses, is copied as it stands.
void AppendUnescapedJson(std::string_view inside, std::string& out);

}  // namespace weir
