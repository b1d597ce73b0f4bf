// The file that --config names, as keys and values; what they mean is option_table.h's.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/status.h"

namespace weir {

struct FileSetting {
  std::string key;  // Never twice in one file.
  std::vector<std::string> values;
  bool list = false;  // Written as a YAML sequence.
};

// `yaml` is one document of `apiVersion: weir/v1alpha1`, `kind: WeirConfiguration`; those two keys
// are not returned. InvalidArgument names the line or the key.
StatusOr<std::vector<FileSetting>> ParseConfigFile(std::string_view yaml);

}  // namespace weir
