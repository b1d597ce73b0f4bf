#include "proxy/upstream/upstream.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "protocol/base/log.h"

namespace weir {

namespace {

constexpr Duration kTokenAge = std::chrono::seconds(60);

std::string ReadTrimmed(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

StatusOr<std::shared_ptr<Upstream>> Upstream::Make(const UpstreamConfig& config,
                                                   const std::string& front_proxy_cert_pem,
                                                   const std::string& front_proxy_key_pem) {
  std::shared_ptr<Upstream> upstream(new Upstream());
  for (const std::string& server : config.servers) {
    WEIR_ASSIGN_OR_RETURN(ServerUrl url, ParseServerUrl(server));
    upstream->urls_.push_back(std::move(url));
  }
  upstream->endpoints_ = std::make_shared<Endpoints>(upstream->urls_.size());
  upstream->reached_ = std::vector<std::atomic<int64_t>>(upstream->urls_.size());
  upstream->server_name_ = config.tls_server_name;
  upstream->token_file_ = config.token_file;
  if (config.insecure_skip_tls_verify) {
    Log(LogLevel::kWarning,
        "The API server's certificate is not verified: anyone on the way can read and change all",
        {{"field", "insecure-skip-tls-verify"}});
  }
  WEIR_ASSIGN_OR_RETURN(Contexts contexts,
                        MakeContexts(config, front_proxy_cert_pem, front_proxy_key_pem));
  const MutexLock lock(upstream->mutex_);
  upstream->token_ = config.token;
  upstream->failed_.resize(upstream->urls_.size());
  upstream->contexts_ = std::move(contexts);
  return upstream;
}

StatusOr<Upstream::Contexts> Upstream::MakeContexts(const UpstreamConfig& config,
                                                    const std::string& front_proxy_cert_pem,
                                                    const std::string& front_proxy_key_pem) {
  Contexts contexts;
  const auto slot = [&contexts](CredentialClass credential) -> auto& {
    return contexts.of[static_cast<size_t>(credential)];
  };
  TlsClientContext::Options options;
  options.ca_pem = config.ca_pem;
  options.insecure_skip_verify = config.insecure_skip_tls_verify;
  WEIR_ASSIGN_OR_RETURN(slot(CredentialClass::kNone), TlsClientContext::Make(options));
  if (!front_proxy_cert_pem.empty()) {
    options.cert_pem = front_proxy_cert_pem;
    options.key_pem = front_proxy_key_pem;
    WEIR_ASSIGN_OR_RETURN(slot(CredentialClass::kFrontProxy), TlsClientContext::Make(options));
  }
  options.cert_pem = config.client_cert_pem;
  options.key_pem = config.client_key_pem;
  WEIR_ASSIGN_OR_RETURN(slot(CredentialClass::kOwn), TlsClientContext::Make(options));
  slot(CredentialClass::kImpersonator) = slot(CredentialClass::kOwn);
  contexts.pem = config.ca_pem + front_proxy_cert_pem + front_proxy_key_pem +
                 config.client_cert_pem + config.client_key_pem;
  return contexts;
}

Status Upstream::Reload(const UpstreamConfig& config, const std::string& front_proxy_cert_pem,
                        const std::string& front_proxy_key_pem) {
  WEIR_ASSIGN_OR_RETURN(Contexts contexts,
                        MakeContexts(config, front_proxy_cert_pem, front_proxy_key_pem));
  {
    const MutexLock lock(mutex_);
    if (contexts.pem == contexts_.pem) return OkStatus();
    contexts_ = std::move(contexts);
  }
  generation_.fetch_add(1, std::memory_order_relaxed);
  Log(LogLevel::kInfo, "Credentials towards the API server reloaded");
  return OkStatus();
}

std::string Upstream::authority(size_t endpoint) const {
  const ServerUrl& url = urls_[endpoint];
  const std::string host =
      url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  return url.port == 443 ? host : fmt::format("{}:{}", host, url.port);
}

std::string Upstream::OwnAuthorization() {
  const MutexLock lock(mutex_);
  if (!token_file_.empty() && (token_read_ == TimePoint() || Now() - token_read_ > kTokenAge)) {
    token_read_ = Now();
    if (std::string token = ReadTrimmed(token_file_); !token.empty()) token_ = std::move(token);
  }
  return token_.empty() ? "" : "Bearer " + token_;
}

void Upstream::DropToken() {
  const MutexLock lock(mutex_);
  token_read_ = TimePoint();
}

void Upstream::ReportFailed(size_t endpoint, const std::string& reason) {
  const MutexLock lock(mutex_);
  failed_[endpoint] = Now();
  failure_ = reason;
}

void Upstream::ReportAnswer(Own what, int status) {
  // One type that Weir may not read is no fault of its credential; reviews it needs all.
  const bool refused = status == 401 || (status == 403 && what == Own::kReview);
  const MutexLock lock(mutex_);
  TimePoint& since = refused_since_[static_cast<size_t>(what)];
  if (!refused) {
    since = TimePoint();
  } else if (since == TimePoint()) {
    since = Now();
  }
}

std::string Upstream::Refused(Duration grace) const {
  const MutexLock lock(mutex_);
  const auto lasts = [&](Own what) {
    const TimePoint since = refused_since_[static_cast<size_t>(what)];
    return since != TimePoint() && Now() - since >= grace;
  };
  if (lasts(Own::kRead)) return "the API server does not know Weir's credential (401)";
  if (lasts(Own::kReview))
    return "Weir may not review tokens and access: it needs the ClusterRole system:auth-delegator";
  return "";
}

std::string Upstream::Unreachable() const {
  const MutexLock lock(mutex_);
  for (size_t i = 0; i < reached_.size(); ++i) {
    const TimePoint reached(Duration(reached_[i].load(std::memory_order_relaxed)));
    if (reached > failed_[i]) return "";
  }
  return failure_;
}

}  // namespace weir
