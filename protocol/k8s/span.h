// A part of an object's bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

struct Span {
  uint32_t offset = 0;
  uint32_t length = 0;
  std::string_view In(std::string_view body) const { return body.substr(offset, length); }
};

}  // namespace weir
