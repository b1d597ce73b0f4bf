// The headers by which the API server learns from a front proxy who somebody is, as it says itself:
// ConfigMap kube-system/extension-apiserver-authentication, which each kube-apiserver fills from
// its --requestheader-* options (pkg/controlplane/controller/clusterauthenticationtrust).
//
// Weir is a front proxy to it. A header of these names that came from a client would be believed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/upstream/pool.h"

namespace weir {

struct FrontProxyHeaders {
  std::vector<std::string> names;     // Of the user, the UID and the groups.
  std::vector<std::string> prefixes;  // Of the extras.
};

// Of the ConfigMap as JSON. InvalidArgument names what is no list of names.
StatusOr<FrontProxyHeaders> ParseFrontProxyHeaders(std::string_view config_map);

// Asks for them at once, each second until there was an answer, and each minute from then on.
// `tell` gets each answer: no names where the API server has had no such ConfigMap, or not shown it
// to Weir, for `refusal_counts`; the log says what that means. An answer above 1 MiB is none.
// `tell` runs on the pool's worker; `pool` outlives that.
void StartReadingFrontProxyHeaders(UpstreamPool& pool,
                                   std::function<void(const FrontProxyHeaders&)> tell,
                                   Duration refusal_counts = std::chrono::seconds(10));

}  // namespace weir
