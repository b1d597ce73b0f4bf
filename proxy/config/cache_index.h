// What --cache-index names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

struct CacheIndex {
  std::string resource;  // "pods", "widgets.example.com".
  bool is_label = false;
  std::string name;  // A label's key, or a field that selectors may name.
};

// "pods=label:app", "pods=field:spec.nodeName"; nothing for any other form.
std::optional<CacheIndex> ParseCacheIndex(std::string_view text);

}  // namespace weir
