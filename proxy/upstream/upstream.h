// Where the API server is, and how each class of requests proves itself to it.
//
// Immutable but for the token and the reachability, which are thread-safe. One per process.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/executor.h"
#include "protocol/base/mutex.h"
#include "protocol/base/status.h"
#include "proxy/config/kubeconfig.h"
#include "proxy/net/tls_context.h"
#include "proxy/upstream/endpoints.h"

namespace weir {

// Connections of different classes are never mixed: upstream believes a client certificate before
// it looks at a token.
enum class CredentialClass : uint8_t {
  kOwn,           // Weir's own credential: feeds and reviews. Never a client's request.
  kFrontProxy,    // The front-proxy certificate, which speaks for certificate users by X-Remote-*
                  // headers.
  kImpersonator,  // Weir's own credential once more, on connections of its own: it speaks for
                  // certificate users by Impersonate-*, as far as upstream lets it.
  kNone,          // No certificate: clients' bearer tokens, and anonymous requests.
};
inline constexpr size_t kCredentialClasses = 4;

class Upstream {
 public:
  // InvalidArgument names what cannot be used. Both PEM texts of the front proxy or none.
  static StatusOr<std::shared_ptr<Upstream>> Make(const UpstreamConfig& config,
                                                  const std::string& front_proxy_cert_pem,
                                                  const std::string& front_proxy_key_pem);

  // Takes the same settings with credentials that may have changed; connections made from now on
  // use them, and idle older ones are not used again. The old ones stay on error.
  Status Reload(const UpstreamConfig& config, const std::string& front_proxy_cert_pem,
                const std::string& front_proxy_key_pem);
  // Rises with each change of credentials.
  uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }

  Endpoints& endpoints() const { return *endpoints_; }
  const ServerUrl& url(size_t endpoint) const { return urls_[endpoint]; }
  // Whether the URL of any has a path.
  bool has_prefix() const {
    return std::any_of(urls_.begin(), urls_.end(),
                       [](const ServerUrl& url) { return !url.prefix.empty(); });
  }
  // What the certificate of `endpoint` must be for.
  const std::string& server_name(size_t endpoint) const {
    return server_name_.empty() ? urls_[endpoint].host : server_name_;
  }
  // host:port as Host headers have it.
  std::string authority(size_t endpoint) const;
  // Null: the class is not configured (kFrontProxy).
  std::shared_ptr<const TlsClientContext> tls(CredentialClass credential) const {
    const MutexLock lock(mutex_);
    return contexts_.of[static_cast<size_t>(credential)];
  }
  // "Bearer …" of Weir's own credential; empty where that is a certificate. The token's file is
  // read anew each minute.
  std::string OwnAuthorization();
  // The API server refused our token: read its file again at the next use.
  void DropToken();

  void ReportReached(size_t endpoint) {
    reached_[endpoint].store(Now().time_since_epoch().count(), std::memory_order_relaxed);
  }
  void ReportFailed(size_t endpoint, const std::string& reason);
  // Empty while the newest attempt reached one of the API servers; else why not, for /readyz.
  std::string Unreachable() const;

  // What Weir asks under its own name: of both kinds the newest answer counts.
  enum class Own : uint8_t { kRead, kReview };
  void ReportAnswer(Own what, int status);
  // Why Weir can do nothing under its own credential, once that has been so for `grace`, which an
  // API server that starts may take; else empty. For /readyz.
  std::string Refused(Duration grace = std::chrono::seconds(30)) const;

 private:
  Upstream() = default;
  static TimePoint Now() { return std::chrono::steady_clock::now(); }

  // One per class, and all the PEM they were made of.
  struct Contexts {
    std::shared_ptr<const TlsClientContext> of[kCredentialClasses];
    std::string pem;
  };
  static StatusOr<Contexts> MakeContexts(const UpstreamConfig& config,
                                         const std::string& front_proxy_cert_pem,
                                         const std::string& front_proxy_key_pem);

  std::vector<ServerUrl> urls_;
  std::shared_ptr<Endpoints> endpoints_;  // Of `urls_`, by index.
  std::string server_name_;
  std::string token_file_;
  std::vector<std::atomic<int64_t>> reached_;  // By endpoint.
  std::atomic<uint64_t> generation_{1};
  mutable Mutex mutex_;
  Contexts contexts_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
  TimePoint token_read_ ABSL_GUARDED_BY(mutex_);
  std::vector<TimePoint> failed_ ABSL_GUARDED_BY(mutex_);  // By endpoint.
  std::string failure_ ABSL_GUARDED_BY(mutex_) = "not tried yet";
  TimePoint refused_since_[2] ABSL_GUARDED_BY(mutex_);  // By Own; the epoch: it is not.
};

}  // namespace weir
