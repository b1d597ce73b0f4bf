#include "proxy/config/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

#include "proxy/config/cipher_suites.h"
#include "proxy/config/values.h"

namespace weir {
namespace {

using Values = std::vector<std::string>;

// One function per type of member: what an option's text means follows from where it is stored.

Option Text(std::string_view group, std::string_view flag, std::string Config::* member,
            std::string_view help) {
  return {.group = group,
          .flag = flag,
          .help = help,
          .set = [member](Config& c, const Values& v) { return c.*member = v[0], OkStatus(); },
          .get = [member](const Config& c) { return c.*member; }};
}

Option Texts(std::string_view group, std::string_view flag, Values Config::* member,
             std::string_view help) {
  const auto set = [member](Config& c, const Values& v) -> Status {
    (c.*member).clear();
    for (const std::string& text : v) {
      std::vector<std::string> items = SplitList(text);
      // An unset variable of a template, perhaps; some empty lists mean everything.
      if (items.empty() && !text.empty())
        return InvalidArgument("want names; leave it empty for none");
      for (std::string& item : items) (c.*member).push_back(std::move(item));
    }
    return OkStatus();
  };
  const auto get = [member](const Config& c) {
    return fmt::format("{}", fmt::join(c.*member, ","));
  };
  return {.group = group,
          .flag = flag,
          .help = help,
          .kind = Option::Kind::kList,
          .set = set,
          .get = get};
}

template <typename Number>
Option Count(std::string_view group, std::string_view flag, Number Config::* member, uint64_t min,
             uint64_t max, std::string_view help) {
  const auto set = [member, min, max](Config& c, const Values& v) -> Status {
    WEIR_ASSIGN_OR_RETURN(const uint64_t value, ParseUnsigned(v[0], min, max));
    c.*member = static_cast<Number>(value);
    return OkStatus();
  };
  const auto get = [member](const Config& c) { return fmt::format("{}", c.*member); };
  return {.group = group, .flag = flag, .help = help, .set = set, .get = get};
}

Option Time(std::string_view group, std::string_view flag, Duration Config::* member, Duration min,
            std::string_view help) {
  const auto set = [member, min](Config& c, const Values& v) -> Status {
    WEIR_ASSIGN_OR_RETURN(const Duration value, ParseDuration(v[0]));
    if (value < min) return InvalidArgument(fmt::format("want at least {}", FormatDuration(min)));
    c.*member = value;
    return OkStatus();
  };
  const auto get = [member](const Config& c) { return FormatDuration(c.*member); };
  return {.group = group, .flag = flag, .help = help, .set = set, .get = get};
}

Option Bytes(std::string_view group, std::string_view flag, uint64_t Config::* member, uint64_t min,
             std::string_view help) {
  const auto set = [member, min](Config& c, const Values& v) -> Status {
    WEIR_ASSIGN_OR_RETURN(const uint64_t value, ParseByteQuantity(v[0]));
    if (value < min) {
      return InvalidArgument(fmt::format("want at least {}", FormatByteQuantity(min)));
    }
    c.*member = value;
    return OkStatus();
  };
  const auto get = [member](const Config& c) { return FormatByteQuantity(c.*member); };
  return {.group = group, .flag = flag, .help = help, .set = set, .get = get};
}

Option Switch(std::string_view group, std::string_view flag, bool Config::* member,
              std::string_view help) {
  const auto set = [member](Config& c, const Values& v) -> Status {
    WEIR_ASSIGN_OR_RETURN(c.*member, ParseBool(v[0]));
    return OkStatus();
  };
  const auto get = [member](const Config& c) -> std::string {
    return c.*member ? "true" : "false";
  };
  return {.group = group,
          .flag = flag,
          .help = help,
          .kind = Option::Kind::kSwitch,
          .set = set,
          .get = get};
}

Option TlsMinVersion() {
  const auto set = [](Config& c, const Values& v) -> Status {
    if (v[0] != "VersionTLS12" && v[0] != "VersionTLS13") {
      return InvalidArgument("want VersionTLS12 or VersionTLS13");
    }
    c.tls_min_version = v[0] == "VersionTLS13" ? TlsVersion::kTls13 : TlsVersion::kTls12;
    return OkStatus();
  };
  const auto get = [](const Config& c) -> std::string {
    return c.tls_min_version == TlsVersion::kTls13 ? "VersionTLS13" : "VersionTLS12";
  };
  return {.group = "Serving",
          .flag = "tls-min-version",
          .help = "The oldest TLS version that clients may use: VersionTLS12 or VersionTLS13.",
          .set = set,
          .get = get};
}

Option TlsCipherSuites() {
  const auto set = [](Config& c, const Values& v) -> Status {
    c.tls_cipher_suites.clear();
    for (const std::string& text : v) {
      for (std::string& name : SplitList(text)) c.tls_cipher_suites.push_back(std::move(name));
    }
    return OpenSslCiphers(c.tls_cipher_suites).status();
  };
  const auto get = [](const Config& c) {
    return fmt::format("{}", fmt::join(c.tls_cipher_suites, ","));
  };
  return {.group = "Serving",
          .flag = "tls-cipher-suites",
          .help =
              "Cipher suites of TLS 1.2, by IANA's names; empty: ECDHE with AES-GCM or "
              "ChaCha20-Poly1305. Those of TLS 1.3 cannot be chosen.",
          .kind = Option::Kind::kList,
          .set = set,
          .get = get};
}

Option GoawayChance() {
  const auto set = [](Config& c, const Values& v) -> Status {
    const char* const end = v[0].data() + v[0].size();
    double chance = 0;
    const auto [parsed, error] = std::from_chars(v[0].data(), end, chance);
    // As kube-apiserver: more would keep clients from ever settling.
    if (error != std::errc() || parsed != end || !(chance >= 0 && chance <= 0.02))
      return InvalidArgument("want a number from 0 to 0.02");
    c.goaway_chance = chance;
    return OkStatus();
  };
  const auto get = [](const Config& c) { return fmt::format("{}", c.goaway_chance); };
  return {.group = "Serving",
          .flag = "goaway-chance",
          .help =
              "The share of requests over HTTP/2 after which the client is to connect anew, so "
              "that clients spread over several replicas: 0 (never) to 0.02. Not for one replica.",
          .set = set,
          .get = get};
}

Option LoggingFormat() {
  const auto set = [](Config& c, const Values& v) -> Status {
    if (v[0] != "text" && v[0] != "json") return InvalidArgument("want text or json");
    c.logging_format = v[0] == "json" ? LogFormat::kJson : LogFormat::kText;
    return OkStatus();
  };
  const auto get = [](const Config& c) -> std::string {
    return c.logging_format == LogFormat::kJson ? "json" : "text";
  };
  return {.group = "Process",
          .flag = "logging-format",
          .help = "Form of log lines on stderr: text (as klog) or json.",
          .set = set,
          .get = get};
}

void AddUpstream(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Upstream";
  table.push_back(
      Text(kGroup, "kubeconfig", &Config::kubeconfig,
           "How Weir itself reaches the API server; empty: the pod's service account."));
  table.push_back(Texts(kGroup, "upstream-server", &Config::upstream_server,
                        "URLs of API servers, in place of the kubeconfig's server; of several "
                        "the one with the fewest requests under way is asked, while it is ready."));
}

// As kube-apiserver's; the headers are those of its delegating servers where none are named.
void AddRequestHeader(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Serving";
  table.push_back(Text(kGroup, "requestheader-client-ca-file",
                       &Config::requestheader_client_ca_file,
                       "PEM bundle of the authorities that sign the certificates of front proxies, "
                       "whose headers name the user; empty: there are none."));
  table.push_back(Texts(kGroup, "requestheader-allowed-names", &Config::requestheader_allowed_names,
                        "Common names of front proxies; empty: every certificate that "
                        "--requestheader-client-ca-file signed is one."));
  table.push_back(Texts(kGroup, "requestheader-username-headers",
                        &Config::requestheader_username_headers,
                        "Headers of a front proxy that name the user; the first one counts."));
  table.push_back(Texts(kGroup, "requestheader-uid-headers", &Config::requestheader_uid_headers,
                        "Headers of a front proxy with the user's uid, such as X-Remote-Uid."));
  table.push_back(Texts(kGroup, "requestheader-group-headers", &Config::requestheader_group_headers,
                        "Headers of a front proxy with the user's groups, one a line."));
  table.push_back(Texts(kGroup, "requestheader-extra-headers-prefix",
                        &Config::requestheader_extra_headers_prefix,
                        "How the headers of a front proxy with the user's extra begin."));
}

void AddRebalance(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Serving";
  table.push_back(Texts(kGroup, "rebalance-peers", &Config::rebalance_peers,
                        "host:port of the replicas' admin ports, such as a headless Service, each "
                        "address of which is a replica; who has more than its share of the HTTP/2 "
                        "connections sends the rest away. Empty: never."));
  table.push_back(Count(kGroup, "rebalance-per-second", &Config::rebalance_per_second, 1, 100'000,
                        "How many connections this replica sends away in a second, at most."));
}

void AddServing(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Serving";
  constexpr uint64_t kMaxPort = std::numeric_limits<uint16_t>::max();
  table.push_back(Text(kGroup, "bind-address", &Config::bind_address,
                       "IP address to serve HTTPS on; :: for all, IPv6 included."));
  table.push_back(
      Count(kGroup, "secure-port", &Config::secure_port, 1, kMaxPort, "Port to serve HTTPS on."));
  table.push_back(Text(kGroup, "tls-cert-file", &Config::tls_cert_file,
                       "PEM file with the serving certificate, then its intermediates. Required."));
  table.push_back(Text(kGroup, "tls-private-key-file", &Config::tls_private_key_file,
                       "PEM file with the serving certificate's private key. Required."));
  table.push_back(TlsMinVersion());
  table.push_back(TlsCipherSuites());
  table.push_back(Text(kGroup, "client-ca-file", &Config::client_ca_file,
                       "PEM bundle of the authorities that sign client certificates; empty: none "
                       "are accepted."));
  AddRequestHeader(table);
  table.push_back(Text(kGroup, "proxy-client-cert-file", &Config::proxy_client_cert_file,
                       "PEM front-proxy certificate, by which upstream trusts Weir to name the "
                       "user of a client certificate."));
  table.push_back(Text(kGroup, "proxy-client-key-file", &Config::proxy_client_key_file,
                       "PEM private key of the front-proxy certificate."));
  table.push_back(
      Switch(kGroup, "forward-impersonate", &Config::forward_impersonate,
             "Without a front-proxy certificate: forwards requests of client-certificate "
             "users under Weir's own credential, which may impersonate them."));
  table.push_back(Switch(kGroup, "forward-impersonate-masters",
                         &Config::forward_impersonate_masters,
                         "Impersonates users of system:masters too."));
  table.push_back(Switch(kGroup, "disable-http2-serving", &Config::disable_http2_serving,
                         "Offers clients HTTP/1.1 only."));
  table.push_back(Count(kGroup, "http2-max-streams-per-connection",
                        &Config::http2_max_streams_per_connection, 0, 100'000,
                        "Requests that a client may have under way on one HTTP/2 connection; 0: "
                        "100."));
  table.push_back(GoawayChance());
  AddRebalance(table);
  table.push_back(Text(kGroup, "admin-bind-address", &Config::admin_bind_address,
                       "host:port of /livez, /readyz, /metrics and /rebalancez, in plain HTTP."));
  table.push_back(Switch(kGroup, "admin-allow-plaintext", &Config::admin_allow_plaintext,
                         "Permits an admin address that is not loopback, though it is neither "
                         "encrypted nor authenticated."));
  table.push_back(Count(kGroup, "workers", &Config::workers, 0, 1024,
                        "Threads that serve connections; 0: one per core."));
}

void AddCache(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Cache";
  table.push_back(
      Bytes(kGroup, "cache-max-bytes", &Config::cache_max_bytes, uint64_t{1} << 20,
            "Memory for objects and history of all resources together; an eighth more may hold "
            "them compressed."));
  table.push_back(Texts(kGroup, "cache-never", &Config::cache_never,
                        "Resources (pods, deployments.apps) that are always forwarded."));
  table.push_back(Texts(kGroup, "cache-only", &Config::cache_only,
                        "The only resources to cache; empty: all but those of --cache-never."));
  table.push_back(Texts(kGroup, "cache-prewarm", &Config::cache_prewarm,
                        "Resources (pods, deployments.v1.apps) that are cached from the start on, "
                        "and for ever: built-in ones in protobuf, custom ones in JSON."));
  table.push_back(Texts(kGroup, "cache-index", &Config::cache_index,
                        "What lists of a resource are looked up by, beside spec.nodeName: "
                        "pods=label:app, widgets.example.com=field:spec.color."));
  table.push_back(Time(kGroup, "cache-idle-timeout", &Config::cache_idle_timeout,
                       std::chrono::seconds(10),
                       "How long a resource stays cached without a reader."));
  table.push_back(Count(kGroup, "cache-page-size", &Config::cache_page_size, 1, 1'000'000,
                        "Objects per page when Weir lists a resource upstream."));
  table.push_back(Time(kGroup, "log-window", &Config::log_window, std::chrono::seconds(10),
                       "How far back a client may resume a watch or page through a list."));
  table.push_back(Switch(kGroup, "strict-resync", &Config::strict_resync,
                         "After a gap in upstream's history, end watches with 410 rather than send "
                         "the net difference."));
}

void AddAuth(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Authentication and authorisation";
  table.push_back(Time(kGroup, "authentication-token-webhook-cache-ttl",
                       &Config::authentication_token_webhook_cache_ttl, Duration(0),
                       "How long a token's verdict is remembered."));
  table.push_back(Time(kGroup, "authorization-webhook-cache-authorized-ttl",
                       &Config::authorization_webhook_cache_authorized_ttl, Duration(0),
                       "How long a permission is remembered."));
  table.push_back(Time(kGroup, "authorization-webhook-cache-unauthorized-ttl",
                       &Config::authorization_webhook_cache_unauthorized_ttl, Duration(0),
                       "How long a refusal is remembered; for nodes at most 1s."));
  table.push_back(Count(kGroup, "max-reviews-inflight", &Config::max_reviews_inflight, 4, 100'000,
                        "SubjectAccessReviews asked of upstream at once; of TokenReviews a "
                        "quarter."));
  table.push_back(Time(kGroup, "watch-reauthorize-interval", &Config::watch_reauthorize_interval,
                       Duration(0),
                       "How often a running watch is checked again; 0: never, as kube-apiserver."));
}

constexpr std::string_view kLimits = "Limits";
constexpr uint64_t kMany = 10'000'000;

// What may be under way at once.
void AddAdmission(std::vector<Option>& table) {
  table.push_back(Count(kLimits, "max-requests-inflight", &Config::max_requests_inflight, 1, kMany,
                        "Forwarded reads at once; more are answered 429."));
  table.push_back(Count(kLimits, "max-mutating-requests-inflight",
                        &Config::max_mutating_requests_inflight, 1, kMany,
                        "Forwarded requests that are no reads at once; more are answered 429."));
  table.push_back(Count(kLimits, "max-cached-requests-inflight",
                        &Config::max_cached_requests_inflight, 1, kMany,
                        "GETs and LISTs from the cache at once; more are answered 429."));
  table.push_back(Count(kLimits, "max-watches", &Config::max_watches, 1, kMany,
                        "Watches from the cache at once; more are answered 429."));
  table.push_back(Count(kLimits, "max-forwarded-streams", &Config::max_forwarded_streams, 1, kMany,
                        "Forwarded watches, logs, exec and the like at once, over HTTP/1.1 each a "
                        "connection to the API server; more are answered 429."));
  table.push_back(Bytes(kLimits, "max-bytes-inflight", &Config::max_bytes_inflight,
                        uint64_t{1} << 20,
                        "Bytes of the LISTs that are being sent from the cache; a LIST on top is "
                        "answered 429."));
  table.push_back(Count(kLimits, "max-share-per-user", &Config::max_share_per_user, 1, 100,
                        "How much of each of these, in percent, one user may have; 100: all."));
}

// What peers may send, and how slowly.
void AddPeerLimits(std::vector<Option>& table) {
  table.push_back(Count(kLimits, "max-header-bytes", &Config::max_header_bytes, 4096, 1u << 20,
                        "Bytes of a request's line and headers; more are answered 431."));
  table.push_back(Count(kLimits, "max-header-fields", &Config::max_header_fields, 32, 10'000,
                        "Header lines of a request; more are answered 431."));
  table.push_back(Count(kLimits, "max-url-bytes", &Config::max_url_bytes, 1024, 1u << 20,
                        "Bytes of a request's path and query; more are answered 414."));
  table.push_back(Time(kLimits, "tls-handshake-timeout", &Config::tls_handshake_timeout,
                       std::chrono::seconds(1), "How long a TLS handshake may take."));
  table.push_back(Time(kLimits, "read-header-timeout", &Config::read_header_timeout,
                       std::chrono::seconds(1),
                       "How long the head of a request may take, once it has begun."));
  table.push_back(Bytes(kLimits, "min-body-rate", &Config::min_body_rate, 1,
                        "Bytes a second that a forwarded body has to come at, on average and "
                        "after 10s."));
  table.push_back(Time(kLimits, "write-stall-timeout", &Config::write_stall_timeout,
                       std::chrono::seconds(1),
                       "How long a client may take nothing of an answer."));
}

void AddLimits(std::vector<Option>& table) {
  table.push_back(Count(kLimits, "max-connections", &Config::max_connections, 1, kMany,
                        "Client connections at once; more are closed."));
  table.push_back(Count(kLimits, "max-connections-per-address",
                        &Config::max_connections_per_address, 0, kMany,
                        "Of these, from one IP address; 0: no limit."));
  table.push_back(Count(kLimits, "max-handshakes-inflight", &Config::max_handshakes_inflight, 1,
                        kMany, "TLS handshakes at once; beyond it the oldest is cut."));
  table.push_back(Count(kLimits, "max-handshakes-per-second", &Config::max_handshakes_per_second, 0,
                        1'000'000,
                        "TLS handshakes that each worker begins in a second; 0: no limit."));
  AddAdmission(table);
  table.push_back(Time(kLimits, "streaming-connection-idle-timeout",
                       &Config::streaming_connection_idle_timeout, Duration(0),
                       "How long exec, attach, port-forward and other upgraded connections may be "
                       "silent; 0: for ever."));
  AddPeerLimits(table);
}

void AddProcess(std::vector<Option>& table) {
  constexpr std::string_view kGroup = "Process";
  Option config = Text(kGroup, "config", &Config::config,
                       "YAML file with these options (WeirConfiguration); flags beat it.");
  config.in_file = false;
  table.push_back(std::move(config));
  table.push_back(Time(kGroup, "shutdown-delay-duration", &Config::shutdown_delay_duration,
                       Duration(0),
                       "After SIGTERM: how long /readyz fails before connections are refused."));
  table.push_back(Time(kGroup, "shutdown-timeout", &Config::shutdown_timeout, Duration(0),
                       "Then: how long requests in flight may take to end."));
  table.push_back(LoggingFormat());
  table.push_back(Count(kGroup, "v", &Config::v, 0, 10, "Log verbosity, as klog's."));
}

// What is read anew wherever it is used, and not held by something that is made once.
bool IsLive(const Option& option) {
  constexpr std::string_view kOthers[] = {"http2-max-streams-per-connection",
                                          "goaway-chance",
                                          "rebalance-peers",
                                          "rebalance-per-second",
                                          "watch-reauthorize-interval",
                                          "v"};
  return option.group == kLimits || std::ranges::find(kOthers, option.flag) != std::end(kOthers);
}

}  // namespace

const std::vector<Option>& OptionTable() {
  static const std::vector<Option> table = [] {
    std::vector<Option> options;
    AddUpstream(options);
    AddServing(options);
    AddCache(options);
    AddAuth(options);
    AddLimits(options);
    AddProcess(options);
    for (Option& option : options) option.live = IsLive(option);
    return options;
  }();
  return table;
}

std::string FileKey(std::string_view flag) {
  std::string key;
  for (size_t i = 0; i < flag.size(); ++i) {
    if (flag[i] == '-' && i + 1 < flag.size()) {
      ++i;
      key += static_cast<char>(std::toupper(static_cast<unsigned char>(flag[i])));
    } else {
      key += flag[i];
    }
  }
  return key;
}

}  // namespace weir
