// What label keys and values look like (api-semantics 6.1).
#pragma once

#include <string_view>

namespace weir {

// An optional DNS subdomain of at most 253 bytes with a slash, then a name of 1 to 63 bytes.
bool IsLabelKey(std::string_view key);
// At most 63 bytes; may be empty.
bool IsLabelValue(std::string_view value);

}  // namespace weir
