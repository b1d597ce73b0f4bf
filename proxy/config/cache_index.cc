#include "proxy/config/cache_index.h"

namespace weir {

std::optional<CacheIndex> ParseCacheIndex(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  const std::string_view property = text.substr(equals + 1);
  const size_t colon = property.find(':');
  if (colon == std::string_view::npos || colon + 1 == property.size()) return std::nullopt;
  const std::string_view kind = property.substr(0, colon);
  if (kind != "label" && kind != "field") return std::nullopt;
  return CacheIndex{std::string(text.substr(0, equals)), kind == "label",
                    std::string(property.substr(colon + 1))};
}

}  // namespace weir
