// UTF-8 as Go's decoder sees it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// The length of the sequence that begins at `at`, which is below text.size(); 0 where Go sees an
// invalid byte: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t Utf8SequenceLength(std::string_view text, size_t at);

// `text` with U+FFFD in place of each invalid byte.
std::string ToValidUtf8(std::string_view text);

}  // namespace weir
