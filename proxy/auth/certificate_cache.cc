#include "proxy/auth/certificate_cache.h"

#include <openssl/sha.h>

#include <utility>

namespace weir {
namespace {

std::string Sha256(const std::string& bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return {reinterpret_cast<const char*>(digest), sizeof(digest)};
}

}  // namespace

// A digest has one length, so their sequence says which certificate is which.
CertificateCache::Key CertificateCache::Key::Of(const PresentedCertificates& certificates) {
  Key key;
  key.leaf = Sha256(certificates.leaf);
  key.leaf_bytes = certificates.leaf.size();
  key.all = key.leaf;
  if (certificates.others.empty()) return key;
  for (const std::string& other : certificates.others) key.all += Sha256(other);
  key.all = Sha256(key.all);
  return key;
}

std::optional<CertificateVerdict> CertificateCache::Find(const Key& key, TimePoint now) {
  const MutexLock lock(mutex_);
  const CertificateVerdict* const found = verdicts_.Find(key.all, now);
  return found == nullptr ? std::nullopt : std::optional(*found);
}

void CertificateCache::Put(Key key, const CertificateVerdict& verdict, TimePoint until) {
  if (verdict.kind != CertificateVerdict::Kind::kValid || key.leaf_bytes > kMaxLeafBytes) return;
  const MutexLock lock(mutex_);
  verdicts_.Put(std::move(key.all), key.leaf, verdict, until);
}

}  // namespace weir
