// How to reach the API server: from a kubeconfig file, or from the service account of the pod we
// run in (auth-and-forwarding F.5).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/status.h"

namespace weir {

// Where upstream is and with what credential Weir itself asks it. PEM texts are read and checked:
// they parse, and key and certificate belong together. Never log the key or the token.
struct UpstreamConfig {
  std::vector<std::string>
      servers;         // "https://host[:port][/prefix]", without a trailing slash; at least one.
  std::string ca_pem;  // Empty: the system's roots.
  std::string client_cert_pem, client_key_pem;  // Both or none.
  std::string token;            // Used while token_file is empty or was never readable.
  std::string token_file;       // To be re-read every minute; an empty file keeps the old token.
  std::string tls_server_name;  // Empty: the host of the server's URL.
  bool insecure_skip_tls_verify = false;
  std::string context_namespace;  // Of the kubeconfig's context, for those who pass it on.

  // The files that the PEM texts came from, for reloading; empty where they were inline.
  std::string ca_file, client_cert_file, client_key_file;
};

// Reads `path`; file names in it are relative to its folder. InvalidArgument or NotFound: one line
// that names the file and the field. What Weir does not do is refused by name: exec, auth-provider,
// username and password, impersonation, proxy-url, http:// servers, insecure-skip-tls-verify beside
// a CA.
StatusOr<UpstreamConfig> ReadKubeconfig(const std::string& path);

// As client-go's InClusterConfig(): KUBERNETES_SERVICE_HOST and _PORT, and the mounted token and CA
// under `folder`.
StatusOr<UpstreamConfig> ReadInCluster(
    const std::string& folder = "/var/run/secrets/kubernetes.io/serviceaccount");

// What Config's kubeconfig and upstream-server come to: the file, or the service account where
// `kubeconfig` is empty; `servers`, where there are any, take the place of its server. With servers
// given, the environment's two variables are not needed in a pod.
StatusOr<UpstreamConfig> LoadUpstream(const std::string& kubeconfig,
                                      const std::vector<std::string>& servers);

// A server's URL in parts.
struct ServerUrl {
  std::string host;  // Without brackets.
  uint16_t port = 443;
  std::string prefix;  // "" or "/path".
};
StatusOr<ServerUrl> ParseServerUrl(std::string_view url);

}  // namespace weir
