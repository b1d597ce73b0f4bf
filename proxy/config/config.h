// Every option of `weir`, from flags and from the file that --config names.
//
// Flags are named as kube-apiserver names theirs. In the file the flag `--a-b` is the key `aB`; a
// flag beats the file. Immutable after LoadConfig(); see live_config.h. Each option is explained in
// deploy/weir.sample.yaml and by --help.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/executor.h"
#include "protocol/base/log.h"
#include "protocol/base/status.h"

namespace weir {

enum class TlsVersion : uint8_t { kTls12, kTls13 };

struct Config {
  // Not empty after --help or --version: print it to stdout and exit with 0. All else is then
  // unset.
  std::string print_and_exit;

  std::string config;  // --config

  // Upstream.
  std::string kubeconfig;  // Empty: the in-cluster service account.
  std::vector<std::string>
      upstream_server;  // https://host[:port]; empty: what the kubeconfig says.

  // Serving.
  std::string bind_address = "0.0.0.0";
  uint16_t secure_port = 6443;
  std::string
      tls_cert_file;  // Set, and exists as the key does: LoadConfig() has seen that they match.
  std::string tls_private_key_file;  // Set.
  TlsVersion tls_min_version = TlsVersion::kTls12;
  std::vector<std::string> tls_cipher_suites;  // Of TLS 1.2, by IANA's names; empty: the default.
  std::string client_ca_file;                  // Empty: client certificates are not accepted.
  // Front proxies before Weir, which name the user in headers.
  std::string requestheader_client_ca_file;              // Empty: there are none.
  std::vector<std::string> requestheader_allowed_names;  // Common names; empty: any.
  std::vector<std::string> requestheader_username_headers = {"X-Remote-User"};
  std::vector<std::string> requestheader_uid_headers;
  std::vector<std::string> requestheader_group_headers = {"X-Remote-Group"};
  std::vector<std::string> requestheader_extra_headers_prefix = {"X-Remote-Extra-"};
  std::string proxy_client_cert_file;  // Both or none; they match.
  std::string proxy_client_key_file;
  bool disable_http2_serving = false;
  uint32_t http2_max_streams_per_connection = 0;      // 0: upstream's default, 100.
  double goaway_chance = 0;                           // Of each request over HTTP/2; at most 0.02.
  std::vector<std::string> rebalance_peers;           // host:port of admin ports; empty: never.
  uint32_t rebalance_per_second = 10;                 // GOAWAYs of this process, at most.
  std::string admin_bind_address = "127.0.0.1:8081";  // See admin_host(), admin_port().
  bool admin_allow_plaintext = false;  // Permits an admin address that is not loopback.
  uint32_t workers = 0;  // 0 in flags means one per core; LoadConfig() fills the number in.

  // Cache.
  uint64_t cache_max_bytes = uint64_t{4} << 30;
  std::vector<std::string> cache_never = {"secrets"};  // "resource" or "resource.group".
  std::vector<std::string> cache_only;                 // Empty: every resource.
  bool forward_impersonate = false;                    // Where there is no proxy_client_cert_file.
  bool forward_impersonate_masters = false;            // Those of system:masters too.
  std::vector<std::string> cache_prewarm;              // "pods", "deployments.v1.apps".
  std::vector<std::string> cache_index;                // See cache_index.h.
  Duration cache_idle_timeout = std::chrono::minutes(30);
  uint64_t cache_page_size = 10000;
  Duration log_window = std::chrono::minutes(10);
  bool strict_resync = false;

  // Authentication and authorisation.
  Duration authentication_token_webhook_cache_ttl = std::chrono::seconds(10);
  Duration authorization_webhook_cache_authorized_ttl = std::chrono::seconds(10);
  Duration authorization_webhook_cache_unauthorized_ttl = std::chrono::seconds(10);
  uint32_t max_reviews_inflight = 256;  // SubjectAccessReviews; of TokenReviews a quarter.
  Duration watch_reauthorize_interval = std::chrono::minutes(5);  // 0: never.

  // Limits.
  Duration streaming_connection_idle_timeout = std::chrono::hours(4);  // Of upgrades. 0: never.
  uint32_t max_connections = 20000;
  uint32_t max_connections_per_address = 0;       // 0: no limit.
  uint32_t max_handshakes_inflight = 4096;        // All workers together.
  uint32_t max_handshakes_per_second = 1000;      // Of each worker. 0: no limit.
  uint32_t max_requests_inflight = 400;           // Forwarded reads.
  uint32_t max_mutating_requests_inflight = 200;  // Forwarded, all others.
  uint32_t max_cached_requests_inflight = 10000;  // GET and LIST from the cache.
  uint32_t max_watches = 1'000'000;               // From the cache.
  uint32_t max_forwarded_streams = 5000;          // Each is a connection upstream.
  uint64_t max_bytes_inflight = uint64_t{16} << 30;
  uint32_t max_share_per_user = 25;  // Percent of each bound.
  uint32_t max_header_bytes = 64 * 1024;
  uint32_t max_header_fields = 256;
  uint32_t max_url_bytes = 16 * 1024;
  Duration tls_handshake_timeout = std::chrono::seconds(10);
  Duration read_header_timeout = std::chrono::seconds(32);
  uint64_t min_body_rate = 1024;  // Bytes a second of a forwarded body, after 10 s.
  Duration write_stall_timeout = std::chrono::seconds(60);

  // Process.
  Duration shutdown_delay_duration = std::chrono::seconds(10);
  Duration shutdown_timeout = std::chrono::seconds(60);
  LogFormat logging_format = LogFormat::kText;
  int v = 0;

  std::string admin_host() const;  // Without brackets.
  uint16_t admin_port() const;

  // "--name=value" of all options, for the log: no option holds a secret, only names of files that
  // do.
  std::vector<std::string> Effective() const;
};

// Reads flags, then the file. InvalidArgument is one line that names option, value and remedy.
// Catches what the libraries throw. Reads the files that it checks, nothing else.
StatusOr<Config> LoadConfig(int argc, const char* const* argv);

}  // namespace weir
