// The cipher suites of --tls-cipher-suites: Kubernetes' names (IANA's, as Go has them) and
// OpenSSL's.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/status.h"

namespace weir {

// OpenSSL's cipher list for TLS 1.2; "" for no names: the default. Suites of TLS 1.3 may be named,
// as in Kubernetes, and change nothing; where none other is named the list is kNoTls12Ciphers.
// InvalidArgument: a name that nobody knows, or a suite that is not forward secret or not
// authenticated encryption. Kubernetes has those as "insecure"; here there are none.
inline constexpr const char* kNoTls12Ciphers = "-";
StatusOr<std::string> OpenSslCiphers(const std::vector<std::string>& names);

}  // namespace weir
