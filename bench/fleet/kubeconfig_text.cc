#include "bench/fleet/kubeconfig_text.h"

#include <openssl/evp.h>

#include <string_view>

#include "protocol/base/json_text.h"

namespace weir::fleet {
namespace {

std::string Base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

// One line of a map inside "cluster", "user" or "context"; nothing where there is no value.
void Put(std::string_view key, std::string_view value, std::string& out) {
  if (value.empty()) return;
  out.append("    ").append(key).append(": ");
  AppendJsonString(value, out);
  out += '\n';
}

}  // namespace

std::string KubeconfigText(const UpstreamConfig& endpoint) {
  std::string out = "apiVersion: v1\nkind: Config\nclusters:\n- name: weir\n  cluster:\n";
  Put("server", endpoint.servers.front(), out);
  Put("tls-server-name", endpoint.tls_server_name, out);
  Put("certificate-authority-data", Base64(endpoint.ca_pem), out);
  if (endpoint.insecure_skip_tls_verify) out += "    insecure-skip-tls-verify: true\n";

  std::string user;
  Put("token", endpoint.token, user);
  Put("tokenFile", endpoint.token_file, user);
  Put("client-certificate-data", Base64(endpoint.client_cert_pem), user);
  Put("client-key-data", Base64(endpoint.client_key_pem), user);
  out.append("users:\n- name: weir\n  user:").append(user.empty() ? " {}\n" : "\n").append(user);
  out += "contexts:\n- name: weir\n  context:\n    cluster: weir\n    user: weir\n";
  Put("namespace", endpoint.context_namespace, out);
  return out + "current-context: weir\n";
}

}  // namespace weir::fleet
