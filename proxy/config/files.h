// Small files: certificates, keys, tokens, configuration.
#pragma once

#include <cstddef>
#include <string>

#include "protocol/base/status.h"

namespace weir {

// The whole of a regular file (or what a link leads to) of at most `max_bytes`. NotFound,
// PermissionDenied and InvalidArgument (too large, no file) say what is wrong and name the path.
StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes = size_t{4} << 20);

// `name` if it is absolute or empty, else inside `folder`.
std::string ResolvePath(const std::string& folder, const std::string& name);
// Of "a/b/c": "a/b"; of "c": ".".
std::string FolderOf(const std::string& path);

}  // namespace weir
