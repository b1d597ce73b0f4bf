#include "protocol/k8s/object_identity.h"

#include <charconv>

#include "fmt/format.h"

namespace weir {

Status CheckObjectNames(std::string_view namespace_, std::string_view name) {
  if (name.empty()) return InvalidArgument("object: no metadata.name");
  if (name.find('/') != std::string_view::npos || namespace_.find('/') != std::string_view::npos) {
    return InvalidArgument("object: a slash in its name");
  }
  return OkStatus();
}

StatusOr<Revision> ParseRevision(std::string_view digits) {
  Revision revision;
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, revision.value);
  if (error != std::errc() || rest != end || digits.front() == '0') {
    return InvalidArgument(fmt::format("object: resourceVersion is \"{}\"", digits.substr(0, 40)));
  }
  return revision;
}

}  // namespace weir
