#include "proxy/config/cipher_suites.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace weir {

namespace {

struct Suite {
  std::string_view name, openssl;  // The second is "" for those of TLS 1.3.
};

// The last two are names of Kubernetes alone.
constexpr std::array<Suite, 11> kSuites = {{
    {"TLS_AES_128_GCM_SHA256", ""},
    {"TLS_AES_256_GCM_SHA384", ""},
    {"TLS_CHACHA20_POLY1305_SHA256", ""},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
}};

// Go's other suites: CBC, RC4, or a key exchange by RSA.
constexpr std::array<std::string_view, 14> kRefused = {"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
                                                       "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
                                                       "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                                                       "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
                                                       "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
                                                       "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
                                                       "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
                                                       "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
                                                       "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
                                                       "TLS_RSA_WITH_RC4_128_SHA",
                                                       "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
                                                       "TLS_RSA_WITH_AES_128_CBC_SHA",
                                                       "TLS_RSA_WITH_AES_256_CBC_SHA",
                                                       "TLS_RSA_WITH_AES_128_CBC_SHA256"};
constexpr std::array<std::string_view, 2> kRefusedGcm = {"TLS_RSA_WITH_AES_128_GCM_SHA256",
                                                         "TLS_RSA_WITH_AES_256_GCM_SHA384"};

template <typename Names>
bool Has(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

StatusOr<std::string> OpenSslCiphers(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    const auto suite = std::find_if(kSuites.begin(), kSuites.end(),
                                    [&](const Suite& s) { return s.name == name; });
    if (suite == kSuites.end()) {
      if (Has(kRefused, name) || Has(kRefusedGcm, name)) {
        return InvalidArgument(fmt::format(
            "{} is insecure and not offered; want ECDHE with AES-GCM or ChaCha20-Poly1305", name));
      }
      return InvalidArgument(fmt::format("{}: no such cipher suite", name));
    }
    if (suite->openssl.empty()) continue;
    if (!list.empty()) list += ':';
    list += suite->openssl;
  }
  if (list.empty() && !names.empty()) return std::string(kNoTls12Ciphers);
  return list;
}

}  // namespace weir
