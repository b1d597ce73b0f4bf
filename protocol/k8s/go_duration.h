// Durations as Go's time.ParseDuration reads them: "5s", "1m30s", "-1.5h".
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace weir {

// Nothing where Go gives an error, or where the unit is not ASCII ("µs").
std::optional<std::chrono::nanoseconds> ParseGoDuration(std::string_view text);

}  // namespace weir
