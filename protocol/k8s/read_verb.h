// The three ways to read.
#pragma once

#include <cstdint>

namespace weir {

enum class ReadVerb : uint8_t { kGet, kList, kWatch };

}  // namespace weir
