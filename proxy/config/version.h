// What this build is.
#pragma once

#include <string_view>

namespace weir {

// "0.1.0": for --version, weir_build_info and the User-Agent towards upstream.
std::string_view Version();

}  // namespace weir
