// The laboratory's own certificate authority, and the files that clients and Weir need.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/status.h"

typedef struct x509_st X509;

namespace weir::sim {

struct CertificateFiles {
  std::string ca, server_certificate, server_key;
};

// Makes what is missing in `directory` and leaves what is there, so that a restart keeps all
// credentials valid:
//   ca.crt ca.key                  signs all others, and client certificates in general
//   server.crt server.key          localhost, kubernetes.default.svc, 127.0.0.1-8, ::1, and `names`
//   admin.crt admin.key            CN admin, O system:masters
//   front-proxy-client.crt .key    for a proxy that vouches for its users
//   token                          a bearer token of the same admin
// Private files have mode 0600. Unavailable: the directory cannot be written.
StatusOr<CertificateFiles> MakeCertificates(const std::string& directory,
                                            const std::vector<std::string>& names);

// A certificate for `common_name` in `organisations`, signed by the directory's CA: `name`.crt and
// `name`.key.
Status MakeClientCertificate(const std::string& directory, const std::string& name,
                             const std::string& common_name,
                             const std::vector<std::string>& organisations);

// Writes `kubeconfig` (the admin's certificate) and `weir.kubeconfig` (the token) for this server.
Status WriteKubeconfigs(const std::string& directory, const std::string& server);

StatusOr<std::string> ReadFile(const std::string& path);

}  // namespace weir::sim
