// Decides who asks: a front proxy's headers first, then client certificate, then bearer token
// (auth-and-forwarding A.1).
//
// Thread-safe; one per process. CA bundles reload without restart. Destroy it after the workers
// have stopped.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "protocol/base/executor.h"
#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "proxy/auth/identity.h"
#include "proxy/auth/request_headers.h"
#include "proxy/auth/review_client.h"

namespace weir {

// What a TLS connection's client certificate came to. Made once per connection and CA generation.
struct CertificateVerdict {
  enum class Kind : uint8_t { kNone, kValid, kInvalid };
  Kind kind = Kind::kNone;  // No certificate presented.
  IdentityRef identity;     // kValid
  std::string reason;       // kInvalid: for the log, never for the client.
  // Whether it is a front proxy's, whose headers name the user, and until when; be it also a
  // user's or not.
  bool front_proxy = false;
  std::chrono::system_clock::time_point front_proxy_until =
      std::chrono::system_clock::time_point::min();
  uint64_t ca_generation = 0;  // Rises with each change of a bundle.
  std::chrono::system_clock::time_point not_after = std::chrono::system_clock::time_point::max();
};

// The leaf and the further certificates a client sent, DER.
struct PresentedCertificates {
  std::string leaf;
  std::vector<std::string> others;
};

struct AuthResult {
  enum class Kind : uint8_t {
    kAuthenticated,
    kAnonymous,    // No credential of any kind, or a certificate that names system:anonymous (then
                   // `identity` is set). Never served from the cache.
    kRejected,     // 401.
    kUnavailable,  // 503: the TokenReview failed.
    kOverloaded,   // 429.
  };
  Kind kind = Kind::kRejected;
  IdentityRef identity;
};

// Result of looking at a request's credentials without asking upstream.
struct Credentials {
  enum class Kind : uint8_t { kNone, kCertificate, kToken, kRejected };
  Kind kind = Kind::kNone;
  IdentityRef identity;  // kCertificate: of its subject, or named by the front proxy's headers.
  std::string token;     // kToken; bytes 0x21-0x7E only. Never logged.
};

class Authenticator {
 public:
  struct Options {
    std::string client_ca_file = "";                  // Empty: certificates are never accepted.
    std::string front_proxy_ca_file = "";             // Empty: there are no front proxies.
    std::vector<std::string> front_proxy_names = {};  // Common names; empty: any.
    RequestHeaderNames front_proxy_headers = {};
    Duration token_ttl = std::chrono::seconds(10);
    Duration token_negative_ttl = std::chrono::seconds(10);
    size_t max_tokens = 65536;
    size_t max_negative_tokens = 65536;
    size_t max_certificates = 131072;  // Whose verdicts are kept; 0: none.
    size_t max_in_flight = 64;
    size_t max_waiting = 10000;
  };

  // InvalidArgument names the option and the file.
  static StatusOr<std::unique_ptr<Authenticator>> Make(Options options);
  virtual ~Authenticator() = default;

  // Verifies as Go does (auth-and-forwarding A.2): pool members are anchors, clientAuth or any EKU,
  // last CN, O → groups. A good verdict is kept for as long as it stands.
  virtual CertificateVerdict Verify(const PresentedCertificates& certificates) = 0;
  // Whether a verdict made earlier still stands: same CA generation and nothing expired.
  virtual bool StillValid(const CertificateVerdict& verdict) const = 0;
  // Subjects of the CA bundles, DER, for the CertificateRequest.
  virtual std::vector<std::string> CaSubjects() const = 0;
  // Re-reads the bundles whose files changed; the last good one stays on error.
  virtual Status Reload() = 0;

  // A front proxy's headers beat its certificate, that beats a token; a valid token beats an
  // invalid certificate (but see Authenticate).
  virtual Credentials Inspect(const CertificateVerdict& certificate,
                              const http::HeaderList& headers) const = 0;

  // The whole answer: as Inspect, then a TokenReview (remembered, shared) where the credential is a
  // token. `done` is called inside the call or later on `caller`.
  virtual void Authenticate(const CertificateVerdict& certificate, const http::HeaderList& headers,
                            Executor& caller, ReviewClient& reviews,
                            absl::AnyInvocable<void(AuthResult)> done) = 0;
};

}  // namespace weir
