// Base64 as kubeconfigs carry it (RFC 4648 §4).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// Padded standard alphabet; line breaks are skipped, as Go does. Nothing where it is not base64.
std::optional<std::string> DecodeBase64(std::string_view text);
// Unpadded URL alphabet (RFC 4648 §5), as in a JWT.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace weir
