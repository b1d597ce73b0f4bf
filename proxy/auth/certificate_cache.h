// Verdicts on client certificates that were good, kept for the next connection that presents the
// same: to parse a chain and check its signatures costs half as much as the handshake around it
// (with OpenSSL 3.0), and a node's programs come back with the same certificate all day.
//
// The key is the SHA-256 of all that was presented, so a verdict is never lent to other bytes. Bad
// verdicts are not kept: whoever has no certificate of the authority takes no room. Whether a
// verdict still stands (its end, the bundles of today) is the caller's to judge.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "protocol/base/mutex.h"
#include "proxy/auth/authenticator.h"
#include "proxy/auth/verdict_table.h"

namespace weir {

class CertificateCache {
 public:
  // About 600 bytes each, the identity included.
  explicit CertificateCache(size_t max_entries) : verdicts_(max_entries, kMaxOfLeaf) {}

  // What names the certificates in here. O(bytes presented).
  struct Key {
    std::string all, leaf;
    size_t leaf_bytes = 0;
    static Key Of(const PresentedCertificates& certificates);
  };

  // Certificates of programs and nodes have 400 to 1,500.
  static constexpr size_t kMaxLeafBytes = 4096;

  std::optional<CertificateVerdict> Find(const Key& key, TimePoint now);
  // Keeps a valid one until then, and no other; nor one whose leaf is so large that its user may be
  // too: what is kept has to be bounded, whatever an authority signs.
  void Put(Key key, const CertificateVerdict& verdict, TimePoint until);

 private:
  // One leaf with ever other intermediates beside it displaces only its own.
  static constexpr size_t kMaxOfLeaf = 4;

  Mutex mutex_;
  VerdictTable<CertificateVerdict> verdicts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weir
