#include "proxy/admin/admin_pages.h"

#include <fmt/format.h>

namespace weir {
namespace {

struct HealthQuery {
  bool verbose = false;
  std::vector<std::string> excluded;
};

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Percent escapes and `+`; what is no escape stays as it is.
std::string Decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int high = i + 2 < text.size() && text[i] == '%' ? HexValue(text[i + 1]) : -1;
    const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

HealthQuery ParseQuery(std::string_view query) {
  HealthQuery out;
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view setting = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const size_t equals = setting.find('=');
    const std::string_view name = setting.substr(0, equals);
    if (name == "verbose") out.verbose = true;
    if (name == "exclude" && equals != std::string_view::npos) {
      out.excluded.push_back(Decode(setting.substr(equals + 1)));
    }
  }
  return out;
}

AdminResponse NotFoundPage() {
  AdminResponse response;
  response.status = 404;
  response.body = "404 page not found\n";
  return response;
}

AdminResponse HealthPage(std::string_view endpoint, const std::vector<HealthCheck>& checks,
                         std::string_view query) {
  HealthQuery parsed = ParseQuery(query);
  HealthReport report = ReportHealth(endpoint, checks, parsed.verbose, std::move(parsed.excluded));
  AdminResponse response;
  response.status = report.healthy ? 200 : 500;
  response.body = std::move(report.body);
  return response;
}

AdminResponse OneCheckPage(std::string_view name, const std::vector<HealthCheck>& checks) {
  for (const HealthCheck& check : checks) {
    if (check.name != name) continue;
    AdminResponse response;
    response.status = check.status.ok() ? 200 : 500;
    response.body = check.status.ok()
                        ? "ok"
                        : fmt::format("internal server error: {}\n", Message(check.status));
    return response;
  }
  return NotFoundPage();
}

AdminResponse MetricsPage(const AdminSources& sources) {
  AdminResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  MetricsWriter writer(response.body);
  sources.metrics(writer);
  return response;
}

AdminResponse RebalancePage(const AdminSources& sources) {
  AdminResponse response;
  response.content_type = "application/json";
  response.body = sources.rebalancez();
  return response;
}

}  // namespace

AdminResponse AnswerAdmin(const http::RequestHead& head, const AdminSources& sources) {
  if (head.method != "GET" && head.method != "HEAD") {
    AdminResponse response;
    response.status = 405;
    response.body = "Method Not Allowed\n";
    return response;
  }
  const std::string_view path = head.path();
  if (path == "/metrics") return MetricsPage(sources);
  if (path == "/rebalancez") return RebalancePage(sources);
  if (!path.starts_with('/')) return NotFoundPage();
  const size_t slash = path.find('/', 1);
  const std::string_view endpoint =
      path.substr(1, slash == std::string_view::npos ? slash : slash - 1);
  if (endpoint != "livez" && endpoint != "readyz" && endpoint != "healthz") return NotFoundPage();
  const std::vector<HealthCheck> checks = endpoint == "readyz" ? sources.readyz() : sources.livez();
  const std::string_view name =
      slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  if (!name.empty()) return OneCheckPage(Decode(name), checks);
  return HealthPage(endpoint, checks, head.query());
}

}  // namespace weir
