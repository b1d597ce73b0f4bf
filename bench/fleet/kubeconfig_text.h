// A kubeconfig of one's own for an endpoint, for clients that do not take flags.
#pragma once

#include <string>

#include "proxy/config/kubeconfig.h"

namespace weir::fleet {

// A kubeconfig (YAML, each value on a line of its own, quoted as JSON) that says what `endpoint`
// says: its first server, its context's namespace, and all certificates and keys inside the text,
// so that it can be read from any folder. A token file stays named beside the token that it held.
// It is as secret as the endpoint's key and token.
std::string KubeconfigText(const UpstreamConfig& endpoint);

}  // namespace weir::fleet
