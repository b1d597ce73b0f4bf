// Checks of PEM texts before they are used, so that a wrong file is refused at start with its
// reason.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/status.h"

namespace weir {

// At least one certificate, and every one in it parses.
Status CheckCertificates(std::string_view pem);

// The first certificate of `cert_pem` carries the public key of `key_pem` (not encrypted).
Status CheckKeyPair(std::string_view cert_pem, std::string_view key_pem);

// Both files, read and checked. The error names the file.
struct KeyPairPem {
  std::string cert, key;
};
StatusOr<KeyPairPem> ReadKeyPair(const std::string& cert_file, const std::string& key_file);

}  // namespace weir
