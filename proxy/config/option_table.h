// The one list of all options: flag, help text, how text becomes a value of Config, and back.
//
// Flags, the file, --help and the log of the effective configuration all walk this table, so an
// option cannot be known to one of them only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/status.h"
#include "proxy/config/config.h"

namespace weir {

struct Option {
  enum class Kind : uint8_t { kScalar, kList, kSwitch };  // kSwitch: `--x` alone means true.

  std::string_view group;  // Heading in --help.
  std::string_view flag;   // Without the dashes: "secure-port".
  std::string_view help;   // One sentence.
  Kind kind = Kind::kScalar;
  bool in_file = true;
  bool live = false;  // May change in the file while the process runs; no list.

  // `values` has exactly one element, or for kList any number. The error says what is wanted.
  std::function<Status(Config&, const std::vector<std::string>& values)> set;
  std::function<std::string(const Config&)> get;  // As it would be given: lists joined by commas.
};

const std::vector<Option>& OptionTable();

// "tls-cert-file" → "tlsCertFile".
std::string FileKey(std::string_view flag);

}  // namespace weir
