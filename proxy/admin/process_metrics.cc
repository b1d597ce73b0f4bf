#include "proxy/admin/process_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "cache/ready_blocks.h"
#include "protocol/k8s/read_request.h"
#include "proxy/config/version.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(VerbLabel::kCount)> kVerbs = {
    "GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "DELETE", "other"};
constexpr std::array<std::string_view, static_cast<size_t>(SourceLabel::kCount)> kSources = {
    "cache", "forward", "local"};
constexpr std::array<std::string_view, static_cast<size_t>(ReviewLabel::kCount)> kReviews = {
    "positive", "negative", "error", "overloaded"};

constexpr std::array<std::string_view, static_cast<size_t>(TunnelEnd::kCount)> kTunnelEnds = {
    "closed", "broken", "idle"};

// As Admission::Pool.
constexpr std::array<std::string_view, Metrics::kAdmissionPools> kPools = {
    "cached",           "forwarded-read", "forwarded-write", "watch",
    "forwarded-stream", "probe",          "user-connection", "address-connection"};
constexpr std::array<std::string_view, static_cast<size_t>(TerminationLabel::kCount)>
    kTerminations = {"full", "share", "bytes"};

constexpr MetricType kCounter = MetricType::kCounter;
constexpr MetricType kGauge = MetricType::kGauge;

template <typename Callback>
void ForEachVerbAndSource(const Callback& callback) {
  for (size_t verb = 0; verb < kVerbs.size(); ++verb) {
    for (size_t source = 0; source < kSources.size(); ++source) {
      callback(static_cast<VerbLabel>(verb), static_cast<SourceLabel>(source), kVerbs[verb],
               kSources[source]);
    }
  }
}

void WriteRequests(const Metrics& m, MetricsWriter& w) {
  w.Family("weir_request_total", kCounter, "Requests by verb, who answered, and HTTP status.");
  ForEachVerbAndSource(
      [&](VerbLabel v, SourceLabel s, std::string_view verb, std::string_view source) {
        const ByCode& codes = m.requests[v][s];
        for (size_t i = 0; i <= ByCode::kCodes.size(); ++i) {
          const uint64_t count = codes.at(i).value();
          if (count == 0) continue;
          const std::string code =
              i < ByCode::kCodes.size() ? fmt::format("{}", ByCode::kCodes[i]) : "other";
          w.Sample({{"verb", verb}, {"source", source}, {"code", code}}, count);
        }
      });
  w.Family("weir_request_duration_seconds", MetricType::kHistogram,
           "Time to the end of the answer, without watches.");
  ForEachVerbAndSource(
      [&](VerbLabel v, SourceLabel s, std::string_view verb, std::string_view source) {
        w.Histogram({{"verb", verb}, {"source", source}}, m.request_duration[v][s]);
      });
  w.Family("weir_forwarded_total", kCounter,
           "Requests that were forwarded, by why the cache did not answer.");
  for (size_t i = 0; i <= static_cast<size_t>(ForwardReason::kNotReady); ++i) {
    w.Sample({{"reason", ToString(static_cast<ForwardReason>(i))}}, m.forwarded[i].value());
  }
  w.Family("weir_current_inflight_requests", kGauge,
           "Requests being answered, without watches and upgrades.");
  const int64_t mutating = m.mutating_in_flight.value();
  w.Sample({{"request_kind", "mutating"}}, mutating);
  w.Sample({{"request_kind", "readOnly"}}, m.requests_in_flight.value() - mutating);
  w.Family("weir_current_inflight_forwards", kGauge, "Forwarded requests being answered.");
  w.Sample({}, m.forwards_in_flight.value());
}

void WriteAdmission(const Metrics& m, MetricsWriter& w) {
  w.Family("weir_admission_in_use", kGauge, "What is under way, by the bound that it counts for.");
  for (size_t i = 0; i < kPools.size(); ++i) w.Sample({{"pool", kPools[i]}}, m.admitted[i].value());
  w.Family("weir_admission_bytes", kGauge, "Bytes of the lists that are being sent.");
  w.Sample({}, m.admitted_bytes.value());
  w.Family("weir_request_terminations_total", kCounter,
           "Requests turned away in self-defence, by the bound that was reached.");
  for (size_t i = 0; i < kTerminations.size(); ++i) {
    w.Sample({{"code", "429"}, {"reason", kTerminations[i]}}, m.terminations.items[i].value());
  }
}

struct OneCounter {
  std::string_view name, help;
  const Counter& counter;
};
struct OneGauge {
  std::string_view name, help;
  const Gauge& gauge;
};

void WriteSingles(const Metrics& m, MetricsWriter& w) {
  const std::array<OneGauge, 12> gauges = {{
      {"weir_longrunning_watches", "Watches served from the cache at present.", m.open_watches},
      {"weir_longrunning_upgrades", "Upgraded connections carried at present.", m.open_tunnels},
      {"weir_connections", "Client connections at present.", m.connections},
      {"weir_http2_connections", "Client connections at present that speak HTTP/2.",
       m.http2_connections},
      {"weir_http2_connections_taking_requests",
       "Of these, those whose clients were not told to connect anew.", m.http2_taking},
      {"weir_http2_streams", "Streams open on them.", m.http2_streams},
      {"weir_upstream_connections", "Connections to API servers at present.",
       m.upstream_connections},
      {"weir_upstream_http2_connections",
       "Connections to API servers at present that speak HTTP/2, for forwarded requests.",
       m.upstream_http2_connections},
      {"weir_upstream_http2_streams", "Streams open on them.", m.upstream_http2_streams},
      {"weir_tls_handshakes_in_flight", "TLS handshakes of clients that are under way.",
       m.tls_handshakes_in_flight},
      {"weir_unsent_bytes", "Bytes held for peers that do not take them at once.", m.unsent_bytes},
      {"weir_rebalance_peers", "Other replicas whose connections were counted at the last look.",
       m.rebalance_peers},
  }};
  for (const OneGauge& g : gauges) {
    w.Family(g.name, kGauge, g.help);
    w.Sample({}, g.gauge.value());
  }
  const std::array<OneCounter, 17> counters = {{
      {"weir_watch_events_total", "Events sent to clients' watches.", m.watch_events},
      {"weir_watch_bytes_total", "Bytes of events sent to clients' watches.", m.watch_bytes},
      {"weir_watch_expired_total", "Watches ended with 410 because the log had moved on.",
       m.watches_expired},
      {"weir_watch_reauth_terminations_total", "Watches ended because the client may no more.",
       m.watches_reauth_terminated},
      {"weir_list_bytes_total", "Bytes of lists sent from the cache.", m.list_bytes},
      {"weir_connections_accepted_total", "Client connections accepted.", m.connections_accepted},
      {"weir_connections_refused_total", "Client connections closed at a limit.",
       m.connections_refused},
      {"weir_tls_handshakes_total", "TLS handshakes completed with clients.", m.tls_handshakes},
      {"weir_tls_handshake_errors_total", "TLS handshakes with clients that failed.",
       m.tls_handshake_errors},
      {"weir_tls_handshakes_shed_total", "TLS handshakes cut, or not begun: there were too many.",
       m.tls_handshakes_shed},
      {"weir_bad_requests_total", "Requests refused before they had a meaning.", m.bad_requests},
      {"weir_http2_goaways_total", "HTTP/2 connections told to end after what is under way.",
       m.http2_goaways},
      {"weir_rebalance_goaways_total",
       "HTTP/2 connections told so because this replica had more than its share of all.",
       m.rebalance_goaways},
      {"weir_upstream_http2_goaways_total",
       "HTTP/2 connections that an API server told to end after what was under way.",
       m.upstream_http2_goaways},
      {"weir_upstream_http2_refused_total",
       "Streams that an API server did not look at; most are asked again.",
       m.upstream_http2_refused},
      {"weir_http2_floods_total", "HTTP/2 connections ended because the client asked too much.",
       m.http2_floods},
      {"weir_upstream_failures_total", "Requests to upstream without an answer.",
       m.upstream_failures},
  }};
  for (const OneCounter& c : counters) {
    w.Family(c.name, kCounter, c.help);
    w.Sample({}, c.counter.value());
  }
}

void WriteTunnels(const Metrics& m, MetricsWriter& w) {
  w.Family("weir_upgrade_bytes_total", kCounter, "Bytes carried by upgraded connections.");
  w.Sample({{"direction", "up"}}, m.tunnel_bytes_up.value());
  w.Sample({{"direction", "down"}}, m.tunnel_bytes_down.value());
  w.Family("weir_upgrade_ends_total", kCounter, "Upgraded connections by how they ended.");
  for (size_t i = 0; i < kTunnelEnds.size(); ++i)
    w.Sample({{"reason", kTunnelEnds[i]}}, m.tunnel_ends.items[i].value());
}

void WriteReviews(const Metrics& m, MetricsWriter& w) {
  const auto by_result = [&w](const ByLabel<ReviewLabel, Counter>& counters) {
    for (size_t i = 0; i < kReviews.size(); ++i) {
      w.Sample({{"result", kReviews[i]}}, counters[static_cast<ReviewLabel>(i)].value());
    }
  };
  w.Family("weir_token_reviews_total", kCounter, "TokenReviews by what they came to.");
  by_result(m.token_reviews);
  w.Family("weir_access_reviews_total", kCounter, "SubjectAccessReviews by what they came to.");
  by_result(m.access_reviews);
  w.Family("weir_authentication_token_cache_request_total", kCounter,
           "Look-ups of remembered token verdicts.");
  w.Sample({{"status", "hit"}}, m.token_cache_hits.value());
  w.Sample({{"status", "miss"}}, m.token_cache_misses.value());
  w.Family("weir_authentication_certificate_cache_request_total", kCounter,
           "Look-ups of remembered client certificates.");
  w.Sample({{"status", "hit"}}, m.certificate_cache_hits.value());
  w.Sample({{"status", "miss"}}, m.certificate_cache_misses.value());
  w.Family("weir_authorization_cache_request_total", kCounter,
           "Look-ups of remembered access verdicts.");
  w.Sample({{"status", "hit"}}, m.access_cache_hits.value());
  w.Sample({{"status", "miss"}}, m.access_cache_misses.value());
}

void WriteUpstream(const Metrics& m, MetricsWriter& w) {
  w.Family("weir_upstream_requests_total", kCounter, "Requests sent to API servers, by what for.");
  w.Sample({{"kind", "list"}}, m.upstream_lists.value());
  w.Sample({{"kind", "watch"}}, m.upstream_watches.value());
  w.Sample({{"kind", "probe"}}, m.upstream_probes.value());
  w.Sample({{"kind", "review"}}, m.upstream_reviews.value());
  w.Sample({{"kind", "forward"}}, m.upstream_forwards.value());
}

std::string_view ToString(CacheState state) {
  switch (state) {
    case CacheState::kStarting:
      return "starting";
    case CacheState::kSynced:
      return "synced";
    case CacheState::kBroken:
      return "broken";
    case CacheState::kRefused:
      return "refused";
  }
  return "unknown";
}

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

uint64_t OpenFiles() {
  std::error_code error;
  uint64_t count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count;
}

// The process's start, near enough: when its globals were made.
const double kStartedAt =
    std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();

}  // namespace

void WriteCounters(const Metrics& metrics, MetricsWriter& writer) {
  WriteRequests(metrics, writer);
  WriteAdmission(metrics, writer);
  WriteSingles(metrics, writer);
  WriteTunnels(metrics, writer);
  WriteReviews(metrics, writer);
  WriteUpstream(metrics, writer);
}

void WriteFeeds(std::span<const FeedStatus> feeds, MetricsWriter& writer) {
  const auto family = [&](std::string_view name, MetricType type, std::string_view help,
                          auto value) {
    writer.Family(name, type, help);
    for (const FeedStatus& f : feeds) {
      writer.Sample({{"group", f.id.group},
                     {"version", f.id.version},
                     {"resource", f.id.resource},
                     {"encoding", ToString(f.encoding)}},
                    value(f));
    }
  };
  const auto number = [](auto member) {
    return [member](const FeedStatus& f) { return static_cast<uint64_t>(f.*member); };
  };
  family("weir_cache_objects", kGauge, "Objects in the cache.", number(&FeedStatus::objects));
  family("weir_cache_object_bytes", kGauge, "Bytes of the objects in the cache.",
         number(&FeedStatus::object_bytes));
  family("weir_cache_log_bytes", kGauge, "Bytes that only the history holds.",
         number(&FeedStatus::log_bytes));
  family("weir_watch_cache_resource_version", kGauge, "The cache's revision.",
         [](const FeedStatus& f) { return f.revision.value; });
  family("weir_watch_cache_events_received_total", kCounter, "Events received from upstream.",
         number(&FeedStatus::events));
  family("weir_feed_lists_total", kCounter, "LISTs of the feed sent to upstream.",
         number(&FeedStatus::lists));
  family("weir_feed_watches_total", kCounter, "WATCHes of the feed sent to upstream.",
         number(&FeedStatus::watches));
  family("weir_feed_probes_total", kCounter, "Probes of freshness sent to upstream.",
         number(&FeedStatus::probes));
  family("weir_feed_resyncs_total", kCounter, "Times that the cache was made anew from a LIST.",
         number(&FeedStatus::resyncs));
  family("weir_feed_regressions_total", kCounter,
         "Times that upstream's revision went back, and all watches ended.",
         number(&FeedStatus::regressions));
  family("weir_freshness_proofs_total", kCounter, "Reads that the cache was proved fresh for.",
         number(&FeedStatus::proofs));
  family("weir_freshness_proofs_failed_total", kCounter,
         "Reads that it could not be proved fresh for; they were forwarded.",
         number(&FeedStatus::proofs_failed));
  writer.Family("weir_cache_compressed_bytes", kGauge,
                "Bytes of objects that are kept compressed for answers in gzip.");
  writer.Sample({}, uint64_t{ReadyBlocks::held_bytes()});
  writer.Family("weir_feed_state", kGauge, "1 for the state that the feed is in.");
  for (const FeedStatus& f : feeds) {
    writer.Sample({{"group", f.id.group},
                   {"version", f.id.version},
                   {"resource", f.id.resource},
                   {"encoding", ToString(f.encoding)},
                   {"state", ToString(f.state)}},
                  uint64_t{1});
  }
}

void WriteProcess(MetricsWriter& writer) {
  writer.Family("weir_build_info", kGauge, "The version that runs.");
  writer.Sample({{"version", Version()}}, uint64_t{1});

  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  writer.Family("process_cpu_seconds_total", kCounter, "CPU time, user and system.");
  writer.Sample({}, SecondsOf(usage.ru_utime) + SecondsOf(usage.ru_stime));

  uint64_t virtual_pages = 0;
  uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  writer.Family("process_resident_memory_bytes", kGauge, "Resident memory.");
  writer.Sample({}, resident_pages * page);
  writer.Family("process_virtual_memory_bytes", kGauge, "Virtual memory.");
  writer.Sample({}, virtual_pages * page);

  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  writer.Family("process_open_fds", kGauge, "Open file descriptors.");
  writer.Sample({}, OpenFiles());
  writer.Family("process_max_fds", kGauge, "The limit of open file descriptors.");
  writer.Sample({}, uint64_t{files.rlim_cur});
  writer.Family("process_start_time_seconds", kGauge, "When the process started, since the epoch.");
  writer.Sample({}, kStartedAt);
}

}  // namespace weir
