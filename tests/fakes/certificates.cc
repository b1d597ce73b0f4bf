#include "tests/fakes/certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace weir {
namespace {

// A failure here is a broken test, not something to handle.
template <typename T>
T Must(T value) {
  if (!value) {
    std::fputs("cannot make a test certificate\n", stderr);
    std::abort();
  }
  return value;
}

template <typename Write>
std::string ToPem(const Write& write) {
  BIO* const bio = Must(BIO_new(BIO_s_mem()));
  Must(write(bio) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

std::string ToDer(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  Must(size > 0);
  std::string der(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  OPENSSL_free(data);
  return der;
}

TestCertificate Export(X509* certificate, EVP_PKEY* key) {
  TestCertificate out;
  out.der = ToDer(certificate);
  out.pem = ToPem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
  out.key_pem = ToPem([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  return out;
}

X509_NAME* MakeName(const CertificateSpec& spec) {
  X509_NAME* const name = Must(X509_NAME_new());
  const int type = spec.value_type == 0 ? V_ASN1_UTF8STRING : spec.value_type;
  for (const auto& [attribute, value] : spec.subject) {
    ASN1_OBJECT* const object = Must(OBJ_txt2obj(attribute.c_str(), 0));
    // Built by hand: the helpers refuse empty values, which are among the odd kinds.
    X509_NAME_ENTRY* const entry = Must(X509_NAME_ENTRY_new());
    Must(X509_NAME_ENTRY_set_object(entry, object) == 1);
    ASN1_STRING* const data = X509_NAME_ENTRY_get_data(entry);
    Must(ASN1_STRING_set(data, value.data(), static_cast<int>(value.size())) == 1);
    data->type = type;
    Must(X509_NAME_add_entry(name, entry, -1, 0) == 1);
    X509_NAME_ENTRY_free(entry);
    ASN1_OBJECT_free(object);
  }
  return name;
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = Must(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  Must(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

X509* Build(const CertificateSpec& spec, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key) {
  static std::atomic<long> serial{1};
  X509* const certificate = Must(X509_new());
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial.fetch_add(1));
  X509_gmtime_adj(X509_getm_notBefore(certificate), spec.valid_from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), spec.valid_for_seconds);
  X509_NAME* const subject = MakeName(spec);
  X509_set_subject_name(certificate, subject);
  X509_set_issuer_name(certificate, issuer == nullptr ? subject : X509_get_subject_name(issuer));
  X509_NAME_free(subject);
  X509_set_pubkey(certificate, key);
  AddExtension(certificate, NID_basic_constraints, spec.ca ? "critical,CA:TRUE" : "CA:FALSE");
  if (spec.extended_key_usage.has_value()) {
    AddExtension(certificate, NID_ext_key_usage, *spec.extended_key_usage);
  }
  if (!spec.alt_names.empty()) AddExtension(certificate, NID_subject_alt_name, spec.alt_names);
  Must(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
  return certificate;
}

EVP_PKEY* NewKey() { return Must(EVP_EC_gen("P-256")); }

CertificateSpec CaSpec(const std::string& common_name, std::optional<std::string> usage) {
  CertificateSpec spec;
  spec.subject = {{"CN", common_name}};
  spec.extended_key_usage = std::move(usage);
  spec.ca = true;
  return spec;
}

}  // namespace

struct TestCa::Keys {
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;
  ~Keys() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

TestCa::TestCa(std::unique_ptr<Keys> keys)
    : keys_(std::move(keys)), certificate_(Export(keys_->certificate, keys_->key)) {}

TestCa::TestCa(const std::string& common_name) : keys_(std::make_unique<Keys>()) {
  keys_->key = NewKey();
  keys_->certificate = Build(CaSpec(common_name, std::nullopt), keys_->key, nullptr, keys_->key);
  certificate_ = Export(keys_->certificate, keys_->key);
}

TestCa::~TestCa() = default;
TestCa::TestCa(TestCa&&) noexcept = default;

TestCertificate TestCa::Issue(const CertificateSpec& spec) const {
  EVP_PKEY* const key = NewKey();
  X509* const certificate = Build(spec, key, keys_->certificate, keys_->key);
  TestCertificate out = Export(certificate, key);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return out;
}

TestCa TestCa::IssueCa(const std::string& common_name,
                       std::optional<std::string> extended_key_usage) const {
  auto keys = std::make_unique<Keys>();
  keys->key = NewKey();
  keys->certificate = Build(CaSpec(common_name, std::move(extended_key_usage)), keys->key,
                            keys_->certificate, keys_->key);
  return TestCa(std::move(keys));
}

}  // namespace weir
