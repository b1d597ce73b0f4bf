#include "proxy/config/pem.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits>
#include <memory>

#include "proxy/config/files.h"

namespace weir {
namespace {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* p) const {
    kFree(p);
  }
};
using BioPtr = std::unique_ptr<BIO, Freer<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

BioPtr OpenBio(std::string_view text) {
  if (text.size() > std::numeric_limits<int>::max()) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// An encrypted key must fail rather than ask the terminal.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*arg*/) { return -1; }

X509Ptr ReadCertificate(BIO* bio) {
  return X509Ptr(PEM_read_bio_X509(bio, nullptr, NoPassphrase, nullptr));
}

}  // namespace

Status CheckCertificates(std::string_view pem) {
  const BioPtr bio = OpenBio(pem);
  if (bio == nullptr) return InvalidArgument("too large");
  ERR_clear_error();
  size_t count = 0;
  while (ReadCertificate(bio.get()) != nullptr) ++count;
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const bool at_end =
      ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return InvalidArgument(fmt::format("certificate {} in it does not parse", count + 1));
  }
  if (count == 0) return InvalidArgument("no PEM certificate in it");
  return OkStatus();
}

Status CheckKeyPair(std::string_view cert_pem, std::string_view key_pem) {
  WEIR_TRY(CheckCertificates(cert_pem));
  const BioPtr cert_bio = OpenBio(cert_pem);
  const BioPtr key_bio = OpenBio(key_pem);
  if (cert_bio == nullptr || key_bio == nullptr) return InvalidArgument("too large");
  const X509Ptr leaf = ReadCertificate(cert_bio.get());
  const KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (leaf == nullptr) return InvalidArgument("the certificate does not parse");
  if (key == nullptr) return InvalidArgument("the key is no PEM private key without a passphrase");
  const bool match = X509_check_private_key(leaf.get(), key.get()) == 1;
  ERR_clear_error();
  return match ? OkStatus() : InvalidArgument("the key does not belong to the certificate");
}

StatusOr<KeyPairPem> ReadKeyPair(const std::string& cert_file, const std::string& key_file) {
  KeyPairPem pair;
  WEIR_ASSIGN_OR_RETURN(pair.cert, ReadSmallFile(cert_file));
  WEIR_ASSIGN_OR_RETURN(pair.key, ReadSmallFile(key_file));
  if (const Status status = CheckCertificates(pair.cert); !status.ok()) {
    return InvalidArgument(fmt::format("{}: {}", cert_file, Message(status)));
  }
  if (const Status status = CheckKeyPair(pair.cert, pair.key); !status.ok()) {
    return InvalidArgument(fmt::format("{} and {}: {}", cert_file, key_file, Message(status)));
  }
  return pair;
}

}  // namespace weir
