#include "proxy/admin/health.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir {
namespace {

// One line: reasons come from libraries and peers.
std::string OneLine(std::string_view text) {
  std::string out(text.substr(0, 512));
  std::replace_if(out.begin(), out.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
  return out;
}

// Removes `name` from `excluded` if it is there.
bool Take(std::vector<std::string>& excluded, std::string_view name) {
  const auto it = std::find(excluded.begin(), excluded.end(), name);
  if (it == excluded.end()) return false;
  std::erase(excluded, std::string(name));
  return true;
}

}  // namespace

HealthReport ReportHealth(std::string_view endpoint, std::span<const HealthCheck> checks,
                          bool verbose, std::vector<std::string> excluded) {
  HealthReport report;
  std::string lines;
  const auto to = std::back_inserter(lines);
  for (const HealthCheck& check : checks) {
    if (Take(excluded, check.name)) {
      fmt::format_to(to, "[+]{} excluded: ok\n", check.name);
    } else if (check.status.ok()) {
      fmt::format_to(to, "[+]{} ok\n", check.name);
    } else {
      report.healthy = report.healthy && !check.required;
      fmt::format_to(to, "[-]{} failed{}: {}\n", check.name,
                     check.required ? "" : " (not required)", OneLine(Message(check.status)));
    }
  }
  if (!excluded.empty()) {
    fmt::format_to(to, "warn: some health checks cannot be excluded: no matches for \"{}\"\n",
                   OneLine(fmt::format("{}", fmt::join(excluded, "\",\""))));
  }
  if (!report.healthy) {
    report.body = fmt::format("{}{} check failed\n", lines, endpoint);
  } else if (verbose) {
    report.body = fmt::format("{}{} check passed\n", lines, endpoint);
  } else {
    report.body = "ok";
  }
  return report;
}

std::vector<HealthCheck> FeedChecks(std::span<const FeedStatus> feeds) {
  std::vector<HealthCheck> checks;
  for (const FeedStatus& feed : feeds) {
    HealthCheck check;
    check.name = "cache-sync/" + feed.id.ToString();
    if (feed.encoding != Encoding::kJson) {
      check.name += fmt::format("/{}", ToString(feed.encoding));
    }
    check.required = false;
    if (feed.state != CacheState::kSynced) {
      check.status = Unavailable(feed.reason.empty() ? "not synced" : feed.reason);
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace weir
