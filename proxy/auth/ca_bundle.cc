#include "proxy/auth/ca_bundle.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>

#include "proxy/auth/certificate_subject.h"
#include "proxy/auth/review_answer.h"
#include "proxy/config/pem.h"

namespace weir {
namespace {

using SystemTime = std::chrono::system_clock::time_point;

struct Free {
  void operator()(X509* p) const { X509_free(p); }
  void operator()(X509_STORE* p) const { X509_STORE_free(p); }
  void operator()(X509_STORE_CTX* p) const { X509_STORE_CTX_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
  void operator()(STACK_OF(X509) * p) const { sk_X509_pop_free(p, X509_free); }
  void operator()(EXTENDED_KEY_USAGE* p) const { EXTENDED_KEY_USAGE_free(p); }
  void operator()(BIGNUM* p) const { BN_free(p); }
  void operator()(char* p) const { OPENSSL_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

constexpr size_t kMaxIntermediates = 32;

int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*arg*/) { return -1; }

// Null unless all bytes are one certificate.
Owned<X509> ParseDer(const std::string& der) {
  if (der.size() > std::numeric_limits<int>::max()) return nullptr;
  const auto* const begin = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* at = begin;
  Owned<X509> certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (at != begin + der.size()) return nullptr;
  return certificate;
}

std::string SubjectDer(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509_NAME(X509_get_subject_name(certificate), &data);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(data), static_cast<size_t>(size));
  OPENSSL_free(data);
  return der;
}

SystemTime NotAfter(X509* certificate) {
  tm parts{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) return SystemTime::min();
  constexpr int64_t kFarthest = 9'000'000'000;  // The year 2255; 99991231235959Z would overflow.
  return SystemTime(std::chrono::seconds(std::min<int64_t>(timegm(&parts), kFarthest)));
}

// Go: no extension or any use is unrestricted; else clientAuth has to be there, whatever else is.
bool PermitsClientAuth(X509* certificate) {
  int critical = 0;
  const Owned<EXTENDED_KEY_USAGE> usages(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, nullptr)));
  if (usages == nullptr)
    return critical == -1;  // -1: no such extension. Else it is there twice or broken.
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    const int use = OBJ_obj2nid(sk_ASN1_OBJECT_value(usages.get(), i));
    if (use == NID_client_auth || use == NID_anyExtendedKeyUsage) return true;
  }
  return false;
}

CertificateVerdict Invalid(std::string reason, uint64_t generation) {
  CertificateVerdict verdict;
  verdict.kind = CertificateVerdict::Kind::kInvalid;
  verdict.reason = std::move(reason);
  verdict.ca_generation = generation;
  // Looked at again soon: a certificate that is not valid yet may become so.
  verdict.not_after = std::chrono::system_clock::now() + std::chrono::minutes(1);
  return verdict;
}

std::string OneLine(X509* certificate) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(std::max(size, 0L)));
}

}  // namespace

struct CaBundle::Store {
  Owned<X509_STORE> anchors;
  std::vector<Owned<X509>> members;

  // Builds and checks the path of `leaf`; null and `reason` where there is none.
  Owned<STACK_OF(X509)> Path(X509* leaf, STACK_OF(X509) * intermediates,
                             std::string& reason) const {
    const Owned<X509_STORE_CTX> context(X509_STORE_CTX_new());
    if (context == nullptr ||
        X509_STORE_CTX_init(context.get(), anchors.get(), leaf, intermediates) != 1) {
      reason = "out of memory";
      return nullptr;
    }
    X509_VERIFY_PARAM* const param = X509_STORE_CTX_get0_param(context.get());
    // Go's pool members are all anchors. No purpose: OpenSSL's would refuse anyExtendedKeyUsage.
    // Level 1: no MD5, no SHA-1.
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_auth_level(param, 1);
    const bool verified = X509_verify_cert(context.get()) == 1;
    if (!verified) reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    ERR_clear_error();
    return verified ? Owned<STACK_OF(X509)>(X509_STORE_CTX_get1_chain(context.get())) : nullptr;
  }
};

CaBundle::CaBundle(std::string pem, uint64_t generation)
    : pem_(std::move(pem)), generation_(generation), store_(std::make_unique<Store>()) {}

CaBundle::~CaBundle() = default;

StatusOr<std::shared_ptr<const CaBundle>> CaBundle::Parse(std::string pem, uint64_t generation) {
  WEIR_TRY(CheckCertificates(pem));
  std::shared_ptr<CaBundle> bundle(new CaBundle(std::move(pem), generation));
  Store& store = *bundle->store_;
  store.anchors.reset(X509_STORE_new());
  const Owned<BIO> bio(BIO_new_mem_buf(bundle->pem_.data(), static_cast<int>(bundle->pem_.size())));
  if (store.anchors == nullptr || bio == nullptr) return Internal("out of memory");
  while (Owned<X509> member{PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)}) {
    if (X509_STORE_add_cert(store.anchors.get(), member.get()) != 1)
      return InvalidArgument("a certificate is refused");
    std::string subject = SubjectDer(member.get());
    if (std::find(bundle->subjects_.begin(), bundle->subjects_.end(), subject) ==
        bundle->subjects_.end()) {
      bundle->subjects_.push_back(std::move(subject));
    }
    store.members.push_back(std::move(member));
  }
  ERR_clear_error();
  return std::shared_ptr<const CaBundle>(std::move(bundle));
}

CertificateVerdict CaBundle::Verify(const PresentedCertificates& certificates) const {
  const Owned<X509> leaf = ParseDer(certificates.leaf);
  if (leaf == nullptr) return Invalid("the certificate does not parse", generation_);
  if (certificates.others.size() > kMaxIntermediates)
    return Invalid("too many certificates", generation_);
  const Owned<STACK_OF(X509)> intermediates(sk_X509_new_null());
  for (const std::string& der : certificates.others) {
    Owned<X509> other = ParseDer(der);
    if (other == nullptr) return Invalid("an intermediate does not parse", generation_);
    X509* const raw = other.release();
    if (sk_X509_push(intermediates.get(), raw) <= 0) X509_free(raw);
  }
  std::string reason;
  const Owned<STACK_OF(X509)> path = store_->Path(leaf.get(), intermediates.get(), reason);
  if (path == nullptr) return Invalid(std::move(reason), generation_);

  CertificateVerdict verdict;
  for (int i = 0; i < sk_X509_num(path.get()); ++i) {
    X509* const certificate = sk_X509_value(path.get(), i);
    if (!PermitsClientAuth(certificate))
      return Invalid("not for client authentication", generation_);
    verdict.not_after = std::min(verdict.not_after, NotAfter(certificate));
  }
  StatusOr<Identity> identity = IdentityOfSubject(leaf.get());
  if (!identity.ok()) return Invalid(std::string(Message(identity.status())), generation_);
  identity->expires = verdict.not_after;
  AddAuthenticatedGroup(*identity);
  verdict.kind = CertificateVerdict::Kind::kValid;
  verdict.ca_generation = generation_;
  verdict.identity = std::make_shared<const Identity>(*std::move(identity));
  return verdict;
}

bool CaBundle::Shares(const CaBundle& other) const {
  const auto is_there = [&other](const Owned<X509>& mine) {
    return std::any_of(
        other.store_->members.begin(), other.store_->members.end(),
        [&mine](const Owned<X509>& theirs) { return X509_cmp(mine.get(), theirs.get()) == 0; });
  };
  return std::any_of(store_->members.begin(), store_->members.end(), is_there);
}

std::vector<std::string> CaBundle::Describe() const {
  std::vector<std::string> lines;
  for (const Owned<X509>& member : store_->members) {
    const Owned<BIGNUM> serial(ASN1_INTEGER_to_BN(X509_get_serialNumber(member.get()), nullptr));
    const Owned<char> hex(serial == nullptr ? nullptr : BN_bn2hex(serial.get()));
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(NotAfter(member.get()).time_since_epoch());
    lines.push_back(fmt::format("subject=\"{}\" serial={} notAfter={}", OneLine(member.get()),
                                hex == nullptr ? "?" : hex.get(), seconds.count()));
  }
  return lines;
}

}  // namespace weir
