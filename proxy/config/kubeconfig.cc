#include "proxy/config/kubeconfig.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <optional>

#include "proxy/config/base64.h"
#include "proxy/config/files.h"
#include "proxy/config/pem.h"

namespace weir {
namespace {

// A field of one of the file's maps; "" where it is missing or null. Throws YAML::Exception where
// it is no scalar.
std::string Field(const YAML::Node& map, const char* key) {
  const YAML::Node value = map[key];
  if (!value.IsDefined() || value.IsNull()) return {};
  return value.as<std::string>();
}

bool Has(const YAML::Node& map, const char* key) {
  const YAML::Node value = map[key];
  if (!value.IsDefined() || value.IsNull()) return false;
  return !(value.IsScalar() && value.Scalar().empty());
}

// The element of the list `section` ("clusters") that has `name`, under `key` ("cluster").
StatusOr<YAML::Node> Named(const YAML::Node& root, const char* section, const char* key,
                           const std::string& name) {
  const YAML::Node list = root[section];
  if (list.IsDefined() && list.IsSequence()) {
    for (const YAML::Node& item : list) {
      if (!item.IsMap() || Field(item, "name") != name) continue;
      YAML::Node value = item[key];
      if (value.IsDefined() && value.IsMap()) return value;
      return InvalidArgument(fmt::format("{} \"{}\": {} is missing", section, name, key));
    }
  }
  return InvalidArgument(fmt::format("no {} named \"{}\"", section, name));
}

// Reads one credential that may be inline (`key`-data, which wins) or in a file.
struct PemField {
  std::string pem;
  std::string file;  // Empty: inline, or absent.
};
StatusOr<PemField> ReadPem(const YAML::Node& map, const std::string& key,
                           const std::string& folder) {
  PemField out;
  const std::string data_key = key + "-data";
  if (const std::string data = Field(map, data_key.c_str()); !data.empty()) {
    std::optional<std::string> pem = DecodeBase64(data);
    if (!pem.has_value()) return InvalidArgument(fmt::format("{}: not base64", data_key));
    out.pem = *std::move(pem);
    return out;
  }
  out.file = ResolvePath(folder, Field(map, key.c_str()));
  if (out.file.empty()) return out;
  StatusOr<std::string> pem = ReadSmallFile(out.file);
  if (!pem.ok())
    return MakeStatus(pem.status().code(), fmt::format("{}: {}", key, Message(pem.status())));
  out.pem = *std::move(pem);
  return out;
}

Status ReadCluster(const YAML::Node& cluster, const std::string& folder, UpstreamConfig& out) {
  if (Has(cluster, "proxy-url")) {
    return InvalidArgument(
        "proxy-url: not supported; remove it and let Weir reach the API server directly");
  }
  std::string server = Field(cluster, "server");
  while (server.ends_with('/')) server.pop_back();
  if (const auto url = ParseServerUrl(server); !url.ok()) {
    return InvalidArgument(fmt::format("server \"{}\": {}", server, Message(url.status())));
  }
  out.servers = {std::move(server)};
  out.tls_server_name = Field(cluster, "tls-server-name");
  const YAML::Node insecure = cluster["insecure-skip-tls-verify"];
  out.insecure_skip_tls_verify = insecure.IsDefined() && !insecure.IsNull() && insecure.as<bool>();

  StatusOr<PemField> ca = ReadPem(cluster, "certificate-authority", folder);
  if (!ca.ok()) return ca.status();
  if (out.insecure_skip_tls_verify && !ca->pem.empty()) {
    return InvalidArgument(
        "insecure-skip-tls-verify: cannot be set beside certificate-authority; remove one of them");
  }
  if (!ca->pem.empty()) {
    if (const Status status = CheckCertificates(ca->pem); !status.ok()) {
      return InvalidArgument(fmt::format("certificate-authority: {}", Message(status)));
    }
  } else if (!ca->file.empty()) {
    return InvalidArgument(fmt::format("certificate-authority: {}: empty", ca->file));
  }
  out.ca_pem = std::move(ca->pem);
  out.ca_file = std::move(ca->file);
  return OkStatus();
}

Status RefuseUnsupported(const YAML::Node& user) {
  struct Refusal {
    const char* field;
    const char* remedy;
  };
  constexpr const char* kOther = "use a token, tokenFile or client-certificate";
  constexpr std::array<Refusal, 8> kRefusals = {
      {{"exec", kOther},
       {"auth-provider", kOther},
       {"username", kOther},
       {"password", kOther},
       {"as", "Weir's own identity must be its own"},
       {"as-uid", "Weir's own identity must be its own"},
       {"as-groups", "Weir's own identity must be its own"},
       {"as-user-extra", "Weir's own identity must be its own"}}};
  for (const Refusal& refusal : kRefusals) {
    if (Has(user, refusal.field)) {
      return InvalidArgument(fmt::format("{}: not supported; {}", refusal.field, refusal.remedy));
    }
  }
  return OkStatus();
}

// A token goes into a header: one word of visible ASCII.
bool IsToken(std::string_view token) {
  for (const char c : token) {
    if (c < 0x21 || c > 0x7e) return false;
  }
  return true;
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

// The token a file holds now becomes the first one used.
Status ReadTokenFile(UpstreamConfig& out) {
  const StatusOr<std::string> text = ReadSmallFile(out.token_file, size_t{1} << 20);
  if (!text.ok()) {
    return MakeStatus(text.status().code(), fmt::format("tokenFile: {}", Message(text.status())));
  }
  if (std::string token = Trimmed(*text); !token.empty()) out.token = std::move(token);
  if (out.token.empty())
    return InvalidArgument(fmt::format("tokenFile: {}: empty", out.token_file));
  return OkStatus();
}

Status ReadUser(const YAML::Node& user, const std::string& folder, UpstreamConfig& out) {
  WEIR_TRY(RefuseUnsupported(user));
  StatusOr<PemField> cert = ReadPem(user, "client-certificate", folder);
  if (!cert.ok()) return cert.status();
  StatusOr<PemField> key = ReadPem(user, "client-key", folder);
  if (!key.ok()) return key.status();
  if (cert->pem.empty() != key->pem.empty()) {
    return InvalidArgument("client-certificate and client-key go together; set both or none");
  }
  if (!cert->pem.empty()) {
    if (const Status status = CheckKeyPair(cert->pem, key->pem); !status.ok()) {
      return InvalidArgument(fmt::format("client-certificate and client-key: {}", Message(status)));
    }
  }
  out.client_cert_pem = std::move(cert->pem);
  out.client_cert_file = std::move(cert->file);
  out.client_key_pem = std::move(key->pem);
  out.client_key_file = std::move(key->file);

  out.token = Field(user, "token");
  out.token_file = ResolvePath(folder, Field(user, "tokenFile"));
  if (!out.token_file.empty()) WEIR_TRY(ReadTokenFile(out));
  if (!IsToken(out.token)) return InvalidArgument("token: holds a space or control byte");
  return OkStatus();
}

StatusOr<UpstreamConfig> ReadDocument(const YAML::Node& root, const std::string& folder) {
  if (!root.IsMap()) return InvalidArgument("not a kubeconfig: want a YAML map");
  const std::string kind = Field(root, "kind");
  if (!kind.empty() && kind != "Config") {
    return InvalidArgument(fmt::format("kind \"{}\": want Config", kind));
  }
  const std::string name = Field(root, "current-context");
  if (name.empty())
    return InvalidArgument("current-context: missing; run kubectl config use-context");
  WEIR_ASSIGN_OR_RETURN(const YAML::Node context, Named(root, "contexts", "context", name));
  WEIR_ASSIGN_OR_RETURN(const YAML::Node cluster,
                        Named(root, "clusters", "cluster", Field(context, "cluster")));
  UpstreamConfig out;
  WEIR_TRY(ReadCluster(cluster, folder, out));
  out.context_namespace = Field(context, "namespace");
  if (const std::string user_name = Field(context, "user"); !user_name.empty()) {
    WEIR_ASSIGN_OR_RETURN(const YAML::Node user, Named(root, "users", "user", user_name));
    WEIR_TRY(ReadUser(user, folder, out));
  }
  return out;
}

StatusOr<UpstreamConfig> ParseKubeconfig(const std::string& text, const std::string& folder) {
  try {
    return ReadDocument(YAML::Load(text), folder);
  } catch (const YAML::Exception& error) {
    return InvalidArgument(fmt::format("line {}: {}", error.mark.line + 1, error.msg));
  }
}

StatusOr<std::string> InClusterServer() {
  const char* const host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* const port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || *host == '\0' || *port == '\0') {
    return InvalidArgument(
        "--kubeconfig=\"\": not in a pod (KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are "
        "unset); name a kubeconfig");
  }
  const bool six = std::string_view(host).find(':') != std::string_view::npos;
  return six ? fmt::format("https://[{}]:{}", host, port)
             : fmt::format("https://{}:{}", host, port);
}

StatusOr<UpstreamConfig> ReadServiceAccount(const std::string& folder) {
  UpstreamConfig out;
  out.token_file = folder + "/token";
  out.ca_file = folder + "/ca.crt";
  const auto wrong = [](const Status& status) {
    return MakeStatus(status.code(),
                      fmt::format("--kubeconfig=\"\": service account: {}; mount one, "
                                  "or name a kubeconfig",
                                  Message(status)));
  };
  if (const Status status = ReadTokenFile(out); !status.ok()) return wrong(status);
  if (!IsToken(out.token)) return wrong(InvalidArgument("the token holds a space or control byte"));
  StatusOr<std::string> ca = ReadSmallFile(out.ca_file);
  if (!ca.ok()) return wrong(ca.status());
  if (const Status status = CheckCertificates(*ca); !status.ok()) {
    return wrong(InvalidArgument(fmt::format("{}: {}", out.ca_file, Message(status))));
  }
  out.ca_pem = *std::move(ca);
  return out;
}

StatusOr<UpstreamConfig> ReadInClusterWith(const std::string& folder,
                                           const std::vector<std::string>& servers) {
  std::vector<std::string> wanted = servers;
  if (wanted.empty()) {
    WEIR_ASSIGN_OR_RETURN(std::string server, InClusterServer());
    wanted.push_back(std::move(server));
  }
  for (const std::string& server : wanted) {
    if (const auto url = ParseServerUrl(server); !url.ok()) {
      return InvalidArgument(fmt::format("KUBERNETES_SERVICE_HOST and _PORT come to \"{}\": {}",
                                         server, Message(url.status())));
    }
  }
  WEIR_ASSIGN_OR_RETURN(UpstreamConfig out, ReadServiceAccount(folder));
  out.servers = std::move(wanted);
  return out;
}

constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

}  // namespace

StatusOr<UpstreamConfig> ReadKubeconfig(const std::string& path) {
  const auto wrong = [&path](const Status& status) {
    return MakeStatus(status.code(), fmt::format("--kubeconfig=\"{}\": {}", path, Message(status)));
  };
  const StatusOr<std::string> text = ReadSmallFile(path);
  if (!text.ok()) return wrong(text.status());
  StatusOr<UpstreamConfig> config = ParseKubeconfig(*text, FolderOf(path));
  if (!config.ok()) return wrong(config.status());
  return config;
}

StatusOr<UpstreamConfig> ReadInCluster(const std::string& folder) {
  return ReadInClusterWith(folder, {});
}

StatusOr<UpstreamConfig> LoadUpstream(const std::string& kubeconfig,
                                      const std::vector<std::string>& servers) {
  std::vector<std::string> clean = servers;
  for (std::string& server : clean) {
    while (server.ends_with('/')) server.pop_back();
  }
  if (kubeconfig.empty()) return ReadInClusterWith(kServiceAccount, clean);
  WEIR_ASSIGN_OR_RETURN(UpstreamConfig config, ReadKubeconfig(kubeconfig));
  if (!clean.empty()) config.servers = std::move(clean);
  return config;
}

}  // namespace weir
