// Query strings as Go's net/url reads them (api-semantics 1.4).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct QuerySetting {
  std::string name, value;  // Decoded.
};

// The settings in order, or nothing where any is not plain: a bad escape, a `;`, a byte that is not
// printable ASCII, or a `#`. Empty settings (`&&`) are skipped.
std::optional<std::vector<QuerySetting>> ParseQueryStrictly(std::string_view query);

// The first value of `name`, as upstream sees it: settings that do not decode are passed over.
std::optional<std::string> FirstQueryValue(std::string_view query, std::string_view name);

}  // namespace weir
