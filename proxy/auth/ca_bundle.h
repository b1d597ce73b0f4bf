// The authorities that sign client certificates, and verification as kube-apiserver's Go does it
// (auth-and-forwarding A.2).
//
// Immutable, thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/status.h"
#include "proxy/auth/authenticator.h"

namespace weir {

class CaBundle {
 public:
  // InvalidArgument: no certificate in it, or one that does not parse.
  static StatusOr<std::shared_ptr<const CaBundle>> Parse(std::string pem, uint64_t generation);
  ~CaBundle();
  CaBundle(const CaBundle&) = delete;
  CaBundle& operator=(const CaBundle&) = delete;

  // Every member of the bundle is an anchor, be it self-signed or not; all further certificates the
  // client sent may be intermediates; every certificate of the path is in its time and, where it
  // restricts its use, permits clientAuth. Then the subject becomes the identity. kValid or
  // kInvalid.
  CertificateVerdict Verify(const PresentedCertificates& certificates) const;

  uint64_t generation() const { return generation_; }
  const std::string& pem() const { return pem_; }
  // DER names, without repetitions, in the bundle's order.
  const std::vector<std::string>& subjects() const { return subjects_; }
  // Whether a certificate is in both.
  bool Shares(const CaBundle& other) const;
  // One line a certificate: subject, serial, notAfter. For the log.
  std::vector<std::string> Describe() const;

 private:
  struct Store;
  CaBundle(std::string pem, uint64_t generation);

  const std::string pem_;
  const uint64_t generation_;
  std::unique_ptr<Store> store_;
  std::vector<std::string> subjects_;
};

}  // namespace weir
