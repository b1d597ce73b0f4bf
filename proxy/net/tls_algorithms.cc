#include "proxy/net/tls_algorithms.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

namespace weir {
namespace {

constexpr std::string_view kSigning[] = {"RSA", "RSA-PSS", "EC", "ED25519", "ED448"};
// "HKDF" and "TLS1-PRF" are the key types by which derivation is asked for; "HMAC" that of
// TLS 1.2's.
constexpr std::string_view kFurtherKeyTypes[] = {"X25519", "HKDF", "TLS1-PRF", "HMAC"};
// Reads which algorithm a key is of, and hands it to that one's decoder.
constexpr std::string_view kAnyKey[] = {"DER"};
constexpr std::string_view kOfCertificates = "structure=SubjectPublicKeyInfo";

// An algorithm has several names: "EC:id-ecPublicKey:1.2.840.10045.2.1". The first is its own.
bool IsOneOf(const OSSL_ALGORITHM& algorithm, std::span<const std::string_view> names) {
  const std::string_view all = algorithm.algorithm_names;
  const std::string_view first = all.substr(0, all.find(':'));
  return std::find(names.begin(), names.end(), first) != names.end();
}

class Lender {
 public:
  explicit Lender(const OSSL_PROVIDER* provider) : provider_(provider) {
    for (const OSSL_ALGORITHM& algorithm : Of(OSSL_OP_DECODER)) {
      const std::string_view properties = algorithm.property_definition;
      const bool used = IsOneOf(algorithm, kSigning) || IsOneOf(algorithm, kAnyKey);
      if (used && properties.find(kOfCertificates) != properties.npos)
        decoders_.push_back(algorithm);
    }
    for (const OSSL_ALGORITHM& algorithm : Of(OSSL_OP_KEYMGMT)) {
      if (IsOneOf(algorithm, kSigning) || IsOneOf(algorithm, kFurtherKeyTypes))
        key_types_.push_back(algorithm);
    }
    decoders_.push_back({});
    key_types_.push_back({});
  }

  const OSSL_ALGORITHM* Query(int operation, int* no_cache) const {
    *no_cache = 0;
    switch (operation) {
      case OSSL_OP_DECODER:
        return decoders_.data();
      case OSSL_OP_ENCODER:
        return nullptr;
      case OSSL_OP_KEYMGMT:
        return key_types_.data();
      default:
        return OSSL_PROVIDER_query_operation(provider_, operation, no_cache);
    }
  }
  // The groups and signatures of TLS; of those whose key type is not here OpenSSL makes no use.
  int Capabilities(const char* capability, OSSL_CALLBACK* callback, void* argument) const {
    return OSSL_PROVIDER_get_capabilities(provider_, capability, callback, argument);
  }
  // What the lent algorithms take for their own provider's.
  void* context() const { return OSSL_PROVIDER_get0_provider_ctx(provider_); }

 private:
  std::vector<OSSL_ALGORITHM> Of(int operation) const {
    std::vector<OSSL_ALGORITHM> algorithms;
    int no_cache = 0;
    const OSSL_ALGORITHM* at = OSSL_PROVIDER_query_operation(provider_, operation, &no_cache);
    for (; at != nullptr && at->algorithm_names != nullptr; ++at) algorithms.push_back(*at);
    return algorithms;
  }

  const OSSL_PROVIDER* provider_;
  std::vector<OSSL_ALGORITHM> decoders_, key_types_;  // Ended by an empty one.
};

// Set before the provider is loaded, never changed: its functions get the lent context in place of
// one of ours.
const Lender* lender = nullptr;

const OSSL_ALGORITHM* Query(void*, int operation, int* no_cache) {
  return lender->Query(operation, no_cache);
}

int Capabilities(void*, const char* capability, OSSL_CALLBACK* callback, void* argument) {
  return lender->Capabilities(capability, callback, argument);
}

void Teardown(void*) {}

int Init(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** functions,
         void** context) {
  using Function = void (*)();
  static const OSSL_DISPATCH table[] = {
      {OSSL_FUNC_PROVIDER_QUERY_OPERATION, reinterpret_cast<Function>(&Query)},
      {OSSL_FUNC_PROVIDER_GET_CAPABILITIES, reinterpret_cast<Function>(&Capabilities)},
      {OSSL_FUNC_PROVIDER_TEARDOWN, reinterpret_cast<Function>(&Teardown)},
      {0, nullptr}};
  *functions = table;
  *context = lender->context();
  return 1;
}

// Whether nobody has configured anything but OpenSSL's own way.
bool OnlyTheDefaultProvider() {
  if (EVP_default_properties_is_fips_enabled(nullptr) != 0) return false;
  bool only = true;
  OSSL_PROVIDER_do_all(
      nullptr,
      [](OSSL_PROVIDER* provider, void* result) {
        if (std::string_view(OSSL_PROVIDER_get0_name(provider)) != "default")
          *static_cast<bool*>(result) = false;
        return 1;
      },
      &only);
  return only;
}

OSSL_LIB_CTX* Make() {
  OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, nullptr);
  if (!OnlyTheDefaultProvider()) return nullptr;  // Before another one is loaded beside its own.
  OSSL_PROVIDER* const provider = OSSL_PROVIDER_try_load(nullptr, "default", 1);
  if (provider == nullptr) return nullptr;
  lender = new Lender(provider);
  OSSL_LIB_CTX* const context = OSSL_LIB_CTX_new();
  if (context == nullptr) return nullptr;
  if (OSSL_PROVIDER_add_builtin(context, "weir-handshake", Init) == 1 &&
      OSSL_PROVIDER_load(context, "weir-handshake") != nullptr) {
    return context;
  }
  OSSL_LIB_CTX_free(context);
  return nullptr;
}

}  // namespace

OSSL_LIB_CTX* HandshakeAlgorithms() {
  static OSSL_LIB_CTX* const context = [] {
    OSSL_LIB_CTX* const made = Make();
    ERR_clear_error();
    return made;
  }();
  return context;
}

}  // namespace weir
