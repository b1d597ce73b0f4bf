#include "proxy/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "cache/ready_blocks.h"
#include "cache/registry.h"
#include "protocol/base/log.h"
#include "protocol/k8s/qualified_name.h"
#include "proxy/admin/admin_server.h"
#include "proxy/admin/process_metrics.h"
#include "proxy/auth/authenticator.h"
#include "proxy/auth/authorizer.h"
#include "proxy/config/cache_index.h"
#include "proxy/config/cipher_suites.h"
#include "proxy/config/files.h"
#include "proxy/config/live_config.h"
#include "proxy/config/pem.h"
#include "proxy/memory_trimmer.h"
#include "proxy/net/listener.h"
#include "proxy/rebalance/rebalancer.h"
#include "proxy/session/connection.h"
#include "proxy/session/http2_connection.h"
#include "proxy/session/service.h"
#include "proxy/upstream/front_proxy_headers.h"
#include "proxy/upstream/health_check.h"
#include "proxy/upstream/http_list_watcher.h"
#include "proxy/upstream/http_review_client.h"

namespace weir {

namespace {

constexpr Duration kHungWorker = std::chrono::seconds(5);

// One worker with all that lives on it. Members end in reverse order.
struct Lane {
  Lane(size_t index, ServiceShared& shared, std::shared_ptr<Upstream> upstream)
      : worker(index),
        pool(worker, std::move(upstream)),
        reviews(MakeHttpReviewClient(pool)),
        service{shared, worker, pool, *reviews} {}

  // Coroutines that were cut still refer to the service and the pool.
  ~Lane() {
    listener.reset();
    worker.Discard();
  }

  Worker worker;
  UpstreamPool pool;
  std::unique_ptr<ReviewClient> reviews;
  Service service;
  std::unique_ptr<Listener> listener;
  std::shared_ptr<const TlsServerContext> tls;
};

TlsServerContext::Options TlsOptions(const Config& config, const Authenticator& authenticator) {
  TlsServerContext::Options options;
  options.cert_file = config.tls_cert_file;
  options.key_file = config.tls_private_key_file;
  options.ca_subjects = authenticator.CaSubjects();
  // Where only suites of TLS 1.3 were named there is no TLS 1.2 to speak.
  const std::string ciphers = OpenSslCiphers(config.tls_cipher_suites).value_or(std::string());
  const bool tls13_ciphers_only = ciphers == kNoTls12Ciphers;
  options.tls13_only = config.tls_min_version == TlsVersion::kTls13 || tls13_ciphers_only;
  if (!tls13_ciphers_only) options.cipher_list = ciphers;
  options.http2 = !config.disable_http2_serving;
  return options;
}

Registry::Options RegistryOptions(const Config& config) {
  Registry::Options options;
  options.never_cache = config.cache_never;
  options.cache_only = config.cache_only;
  options.max_cache_bytes = config.cache_max_bytes;
  options.idle_timeout = config.cache_idle_timeout;
  for (const std::string& text : config.cache_index) {
    if (const auto index = ParseCacheIndex(text)) {
      options.indexes.push_back({index->resource, {index->is_label, index->name}});
    }
  }
  for (const std::string& name : config.cache_prewarm) {
    if (const auto id = ParseQualifiedName(name)) options.prewarm.push_back(*id);
  }
  options.log.window = config.log_window;
  options.strict_resync = config.strict_resync;
  options.page_size = config.cache_page_size;
  return options;
}

Authenticator::Options AuthenticatorOptions(const Config& config) {
  Authenticator::Options options;
  options.client_ca_file = config.client_ca_file;
  options.front_proxy_ca_file = config.requestheader_client_ca_file;
  options.front_proxy_names = config.requestheader_allowed_names;
  options.front_proxy_headers = {
      config.requestheader_username_headers, config.requestheader_uid_headers,
      config.requestheader_group_headers, config.requestheader_extra_headers_prefix};
  options.token_ttl = config.authentication_token_webhook_cache_ttl;
  options.max_in_flight = std::max<size_t>(1, config.max_reviews_inflight / 4);
  return options;
}

Authorizer::Options AuthorizerOptions(const Config& config) {
  Authorizer::Options options;
  options.allow_ttl = config.authorization_webhook_cache_authorized_ttl;
  options.deny_ttl = config.authorization_webhook_cache_unauthorized_ttl;
  options.max_in_flight = config.max_reviews_inflight;
  return options;
}

// As many connections as there are file descriptors for, beside those to the API server, the admin
// port's and some more. Forwarded streams get a sixteenth of them at most.
Config FittedToFiles(Config config) {
  constexpr uint64_t kReserved = 64;
  constexpr uint64_t kLeast = 16;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return config;
  const uint64_t streams = std::max<uint64_t>(files.rlim_cur / 16, 1);
  config.max_forwarded_streams =
      static_cast<uint32_t>(std::min<uint64_t>(config.max_forwarded_streams, streams));
  const uint64_t others = kReserved + config.max_requests_inflight +
                          config.max_mutating_requests_inflight + config.max_forwarded_streams;
  const uint64_t room = files.rlim_cur > others + kLeast ? files.rlim_cur - others : kLeast;
  if (room >= config.max_connections) return config;
  config.max_connections = static_cast<uint32_t>(room);
  return config;
}

void WriteUpstream(const Upstream& upstream, MetricsWriter& writer) {
  const Endpoints& endpoints = upstream.endpoints();
  writer.Family("weir_upstream_endpoint_ready", MetricType::kGauge,
                "Whether the API server answers, and is not shutting down.");
  for (size_t i = 0; i < endpoints.count(); ++i) {
    writer.Sample({{"endpoint", upstream.authority(i)}},
                  uint64_t{endpoints.health(i) == Endpoints::Health::kReady ? 1u : 0u});
  }
  writer.Family("weir_upstream_endpoint_requests", MetricType::kGauge,
                "Forwarded requests and reviews under way at the API server.");
  for (size_t i = 0; i < endpoints.count(); ++i)
    writer.Sample({{"endpoint", upstream.authority(i)}}, endpoints.requests(i));
}

// Shown only: with one of several the rest is served.
void AddEndpointChecks(const Upstream& upstream, std::vector<HealthCheck>& checks) {
  const Endpoints& endpoints = upstream.endpoints();
  for (size_t i = 0; endpoints.count() > 1 && i < endpoints.count(); ++i) {
    const Endpoints::Health health = endpoints.health(i);
    checks.push_back({.name = "upstream/" + upstream.authority(i),
                      .status = health == Endpoints::Health::kReady
                                    ? OkStatus()
                                    : Unavailable(std::string(ToString(health))),
                      .required = false});
  }
}

}  // namespace

std::vector<std::string> FilesOf(const Config& config, const UpstreamConfig& upstream) {
  return {config.config,
          config.client_ca_file,
          config.requestheader_client_ca_file,
          config.tls_cert_file,
          config.tls_private_key_file,
          config.proxy_client_cert_file,
          config.proxy_client_key_file,
          upstream.ca_file,
          upstream.client_cert_file,
          upstream.client_key_file,
          upstream.token_file};
}

struct Server::Impl {
  Impl(const Config& c, const UpstreamConfig& u) : config(FittedToFiles(c)), settings(u) {}

  // What Weir shows the API server, as the files say now.
  struct Credentials {
    UpstreamConfig upstream;
    std::string front_proxy_cert_pem, front_proxy_key_pem;
  };
  StatusOr<Credentials> ReadCredentials() const;
  Status OpenLanes(std::shared_ptr<Upstream> upstream);
  Status OpenAdmin();
  void StartLanes();
  // Runs `task` on every worker and waits for all of them.
  void OnEveryLane(const std::function<void(Lane&)>& task);
  std::vector<HealthCheck> Livez() const;
  std::vector<HealthCheck> Readyz() const;
  ReplicaLoad Load() const;
  Rebalancer::Process AsRebalanced();

  const Config config;  // As it was at the start.
  LiveConfig live{config};
  const UpstreamConfig settings;
  std::unique_ptr<Authenticator> authenticator;
  std::unique_ptr<Authorizer> authorizer;
  std::shared_ptr<Upstream> upstream;
  std::unique_ptr<ServiceShared> shared;
  MemoryTrimmer trimmer;  // Outlives the workers, on which feeds end.
  std::vector<std::unique_ptr<Lane>> lanes;
  std::unique_ptr<Registry> registry;
  std::unique_ptr<AdminServer> admin;
  const std::string instance = NewInstance();
  std::unique_ptr<Rebalancer> rebalancer;
  std::atomic<bool> shutting_down{false};
  bool drained = false;
};

// A file that is named has to hold what it is named for: without a CA the system's would be
// trusted, without a certificate somebody else asked for.
StatusOr<Server::Impl::Credentials> Server::Impl::ReadCredentials() const {
  Credentials read{settings, {}, {}};
  if (!settings.ca_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(read.upstream.ca_pem, ReadSmallFile(settings.ca_file));
    if (const Status status = CheckCertificates(read.upstream.ca_pem); !status.ok())
      return InvalidArgument(fmt::format("{}: {}", settings.ca_file, Message(status)));
  }
  // Either may stand in the kubeconfig itself.
  const std::string& cert_file = settings.client_cert_file;
  const std::string& key_file = settings.client_key_file;
  if (!cert_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(read.upstream.client_cert_pem, ReadSmallFile(cert_file));
  }
  if (!key_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(read.upstream.client_key_pem, ReadSmallFile(key_file));
  }
  if (!cert_file.empty() || !key_file.empty()) {
    const Status status = CheckKeyPair(read.upstream.client_cert_pem, read.upstream.client_key_pem);
    if (!status.ok())
      return InvalidArgument(fmt::format("{} {}: {}", cert_file, key_file, Message(status)));
  }
  if (!config.proxy_client_cert_file.empty()) {
    WEIR_ASSIGN_OR_RETURN(KeyPairPem pair,
                          ReadKeyPair(config.proxy_client_cert_file, config.proxy_client_key_file));
    read.front_proxy_cert_pem = std::move(pair.cert);
    read.front_proxy_key_pem = std::move(pair.key);
  }
  return read;
}

Status Server::Impl::OpenLanes(std::shared_ptr<Upstream> reached) {
  upstream = std::move(reached);
  WEIR_ASSIGN_OR_RETURN(const auto tls, TlsServerContext::Make(TlsOptions(config, *authenticator)));
  std::vector<std::unique_ptr<Lane>> made;
  shared.reset(new ServiceShared{live, registry, *authenticator, *authorizer, *upstream});
  for (size_t i = 0; i < config.workers; ++i) {
    auto lane = std::make_unique<Lane>(i, *shared, upstream);
    lane->tls = tls;
    const uint16_t port = made.empty() ? config.secure_port : made.front()->listener->port();
    auto listener = Listener::Open(lane->worker, config.bind_address, port);
    if (!listener.ok()) {
      return Unavailable(fmt::format("--bind-address={} --secure-port={}: {}", config.bind_address,
                                     config.secure_port, Message(listener.status())));
    }
    lane->listener = std::move(*listener);
    made.push_back(std::move(lane));
  }
  lanes = std::move(made);
  return OkStatus();
}

Status Server::Impl::OpenAdmin() {
  AdminSources sources;
  sources.livez = [this] { return Livez(); };
  sources.readyz = [this] { return Readyz(); };
  sources.metrics = [this](MetricsWriter& writer) {
    WriteCounters(ProcessMetrics(), writer);
    WriteFeeds(registry->Status(), writer);
    WriteUpstream(*upstream, writer);
    WriteProcess(writer);
  };
  sources.rebalancez = [this] { return ToJson(Load()); };
  WEIR_ASSIGN_OR_RETURN(
      admin, AdminServer::Start(config.admin_host(), config.admin_port(), std::move(sources)));
  return OkStatus();
}

void Server::Impl::StartLanes() {
  std::vector<Registry::Worker> homes;
  for (const auto& lane : lanes) {
    Worker* const worker = &lane->worker;
    homes.push_back({worker, [worker, this] { return MakeHttpListWatcher(*worker, upstream); }});
  }
  for (const auto& lane : lanes) lane->worker.Start();
  lanes.front()->worker.Post([lane = lanes.front().get(), this] {
    StartHealthChecks(lane->worker, upstream);
    if (upstream->tls(CredentialClass::kFrontProxy) == nullptr) return;
    StartReadingFrontProxyHeaders(lane->pool, [this](const FrontProxyHeaders& headers) {
      shared->identity_headers.Add(headers.names, headers.prefixes);
    });
  });
  ReadyBlocks::SetLimit(config.cache_max_bytes / 8);
  Registry::Options options = RegistryOptions(config);
  options.memory_returned = [this] { trimmer.Request(); };
  registry = Registry::Make(std::move(options), std::move(homes));
  for (const auto& owned : lanes) {
    Lane* const lane = owned.get();
    lane->worker.Post([lane] {
      lane->listener->Start([lane](int socket) {
        Metrics& metrics = ProcessMetrics();
        metrics.connections_accepted.Add();
        ServiceShared& all = lane->service.shared;
        if (all.connections.load() >= all.config->max_connections) {
          metrics.connections_refused.Add();
          const Stream closed(lane->worker, socket, nullptr);
          return;
        }
        lane->worker.Spawn(ServeConnection(lane->service, socket, lane->tls));
      });
    });
  }
}

void Server::Impl::OnEveryLane(const std::function<void(Lane&)>& task) {
  std::vector<std::future<void>> done;
  for (const auto& owned : lanes) {
    auto promise = std::make_shared<std::promise<void>>();
    done.push_back(promise->get_future());
    Lane* const lane = owned.get();
    lane->worker.Post([lane, task, promise] {
      task(*lane);
      promise->set_value();
    });
  }
  for (std::future<void>& each : done) each.wait_for(std::chrono::seconds(5));
}

std::vector<HealthCheck> Server::Impl::Livez() const {
  std::vector<HealthCheck> checks;
  checks.push_back({"ping", OkStatus()});
  for (const auto& lane : lanes) {
    const Duration silent = std::chrono::steady_clock::now() - lane->worker.last_tick();
    const bool hung = silent > kHungWorker;
    checks.push_back({fmt::format("eventloop-{}", lane->worker.index()),
                      hung ? Unavailable(fmt::format(
                                 "no turn for {} s",
                                 std::chrono::duration_cast<std::chrono::seconds>(silent).count()))
                           : OkStatus()});
  }
  return checks;
}

std::vector<HealthCheck> Server::Impl::Readyz() const {
  std::vector<HealthCheck> checks = Livez();
  const std::string unreachable = upstream->Unreachable();
  checks.push_back(
      {"upstream-reachable", unreachable.empty() ? OkStatus() : Unavailable(unreachable)});
  const std::string refused = upstream->Refused();
  checks.push_back({"upstream-credential", refused.empty() ? OkStatus() : Unavailable(refused)});
  AddEndpointChecks(*upstream, checks);
  if (upstream->tls(CredentialClass::kFrontProxy) != nullptr) {
    checks.push_back({"front-proxy-headers",
                      shared->identity_headers.complete()
                          ? OkStatus()
                          : Unavailable("the API server has not said by which headers it believes "
                                        "a front proxy")});
  }
  checks.push_back(
      {"shutdown", shutting_down ? Unavailable("process is shutting down") : OkStatus()});
  for (HealthCheck& check : FeedChecks(registry->Status())) checks.push_back(std::move(check));
  return checks;
}

// From any thread, as long as the lanes are there.
ReplicaLoad Server::Impl::Load() const {
  ReplicaLoad load;
  load.instance = instance;
  for (const auto& lane : lanes) {
    load.connections += lane->service.http2_roll.taking();
    load.leaving += lane->service.http2_roll.leaving();
  }
  const std::vector<HealthCheck> checks = Readyz();
  load.ready = std::all_of(checks.begin(), checks.end(), [](const HealthCheck& check) {
    return check.status.ok() || !check.required;
  });
  return load;
}

Rebalancer::Process Server::Impl::AsRebalanced() {
  Rebalancer::Process process;
  process.load = [this] { return Load(); };
  process.closing = [this] { return shutting_down.load(); };
  process.connections = [this] {
    std::vector<size_t> connections;
    for (const auto& lane : lanes) connections.push_back(lane->service.http2_roll.taking());
    return connections;
  };
  process.send_away = [this](size_t worker, size_t count) {
    Lane* const lane = lanes[worker].get();
    lane->worker.Post([lane, count] { SendAwayHttp2(lane->service, count); });
  };
  return process;
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StatusOr<std::unique_ptr<Server>> Server::Start(const Config& config,
                                                const UpstreamConfig& upstream) {
  auto impl = std::make_unique<Impl>(config, upstream);
  if (impl->config.max_connections < config.max_connections) {
    Log(LogLevel::kWarning, "Too few file descriptors for --max-connections",
        {{"asked", config.max_connections}, {"connections", impl->config.max_connections}});
  }
  if (impl->config.max_forwarded_streams < config.max_forwarded_streams) {
    Log(LogLevel::kWarning, "Too few file descriptors for --max-forwarded-streams",
        {{"asked", config.max_forwarded_streams}, {"streams", impl->config.max_forwarded_streams}});
  }
  WEIR_ASSIGN_OR_RETURN(impl->authenticator, Authenticator::Make(AuthenticatorOptions(config)));
  impl->authorizer = Authorizer::Make(AuthorizerOptions(config));
  WEIR_ASSIGN_OR_RETURN(const auto shown, impl->ReadCredentials());
  WEIR_ASSIGN_OR_RETURN(auto opened, Upstream::Make(shown.upstream, shown.front_proxy_cert_pem,
                                                    shown.front_proxy_key_pem));
  WEIR_TRY(impl->OpenLanes(std::move(opened)));
  std::unique_ptr<Server> server(new Server(std::move(impl)));
  server->impl_->StartLanes();
  WEIR_TRY(server->impl_->OpenAdmin());
  server->impl_->rebalancer =
      std::make_unique<Rebalancer>(server->impl_->live, server->impl_->AsRebalanced());
  server->impl_->rebalancer->Start();
  Log(LogLevel::kInfo, "Serving securely",
      {{"address",
        fmt::format("{}:{}", config.bind_address, server->impl_->lanes.front()->listener->port())},
       {"workers", config.workers},
       {"upstream", server->impl_->upstream->authority(0)},
       {"admin", fmt::format("{}:{}", config.admin_host(), server->impl_->admin->port())}});
  return server;
}

void Server::Reload() {
  Impl& s = *impl_;
  if (const Status status = s.authenticator->Reload(); !status.ok()) {
    Log(LogLevel::kError, "Keeping the client CA bundle that is in use",
        {{"err", Message(status)}});
  }
  s.upstream->DropToken();
  const auto shown = s.ReadCredentials();
  const Status reloaded = shown.ok()
                              ? s.upstream->Reload(shown->upstream, shown->front_proxy_cert_pem,
                                                   shown->front_proxy_key_pem)
                              : shown.status();
  if (!reloaded.ok()) {
    Log(LogLevel::kError, "Keeping the credentials towards the API server that are in use",
        {{"err", Message(reloaded)}});
  }
  const auto tls = TlsServerContext::Make(TlsOptions(s.config, *s.authenticator));
  if (!tls.ok()) {
    Log(LogLevel::kError, "Keeping the serving certificate that is in use",
        {{"err", Message(tls.status())}});
    return;
  }
  s.OnEveryLane([made = *tls](Lane& lane) { lane.tls = made; });
}

void Server::TakeUp(const Config& read) {
  const LiveConfig::Changes changes = impl_->live.TakeUp(FittedToFiles(read));
  for (const std::string& flag : changes.taken_up)
    Log(LogLevel::kInfo, "Option taken up", {{"flag", flag}});
  for (const std::string& flag : changes.waiting)
    Log(LogLevel::kWarning, "Option is taken up at the next start", {{"flag", flag}});
  SetLogVerbosity(impl_->live->v);
  impl_->rebalancer->Start();
}

void Server::BeginShutdown() { impl_->shutting_down = true; }

void Server::Drain() {
  Impl& s = *impl_;
  if (s.drained) return;
  s.drained = true;
  s.shutting_down = true;
  if (s.rebalancer != nullptr) s.rebalancer->Stop();
  s.shared->closing = true;
  s.OnEveryLane([](Lane& lane) { lane.listener->Close(); });
  s.shared->stopping = true;
  s.OnEveryLane([](Lane& lane) {
    DrainHttp2(lane.service);
    lane.service.watches.WakeAll();
  });
  const auto deadline = std::chrono::steady_clock::now() + s.live->shutdown_timeout;
  while (s.shared->requests.load() > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (const int64_t left = s.shared->requests.load(); left > 0) {
    Log(LogLevel::kWarning, "Cutting requests that did not end in time", {{"requests", left}});
  }
  s.admin.reset();
  s.registry->Shutdown();
  s.OnEveryLane([](Lane& lane) { lane.pool.Close(); });
  for (const auto& lane : s.lanes) lane->worker.Stop();
  // What could not end in time refers to connections that go with the workers.
  for (const auto& lane : s.lanes) lane->service.watches.Clear();
}

Server::~Server() { Drain(); }

}  // namespace weir
