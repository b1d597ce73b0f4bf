#include "bench/sim/request.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::sim {
namespace {

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return {};
}

std::vector<std::string> SplitPath(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

std::string VerbOf(std::string_view method, bool named, bool watch) {
  if (method == "GET" || method == "HEAD") return named ? "get" : watch ? "watch" : "list";
  if (method == "POST") return "create";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return named ? "delete" : "deletecollection";
  return "";
}

// What follows the version: [watch/] [namespaces/x/] resource [/name [/subresource]].
void ParseResourcePath(std::vector<std::string> parts, RequestInfo& info) {
  if (parts[0] == "watch") {
    info.watch_path = true;
    parts.erase(parts.begin());
    if (parts.empty()) return;
  }
  if (parts[0] == "namespaces" && parts.size() > 1) {
    info.namespace_ = parts[1];
    const bool own = parts.size() == 3 && (parts[2] == "status" || parts[2] == "finalize");
    if (parts.size() > 2 && !own) parts.erase(parts.begin(), parts.begin() + 2);
  }
  info.id.resource = parts[0];
  if (parts.size() > 1) info.name = parts[1];
  if (parts.size() > 2) info.subresource = parts[2];
}

}  // namespace

std::optional<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return {};
      const auto high = HexDigit(text[i + 1]);
      const auto low = HexDigit(text[i + 2]);
      if (!high || !low) return {};
      out += static_cast<char>(*high * 16 + *low);
      i += 2;
    }
  }
  return out;
}

Query::Query(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const auto equals = pair.find('=');
    auto name = Unescape(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : Unescape(pair.substr(equals + 1), true);
    if (name && value) pairs_.emplace_back(*std::move(name), *std::move(value));
  }
}

std::optional<std::string_view> Query::First(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return {};
}

bool Query::IsTrue(std::string_view name) const {
  const auto value = First(name);
  return value && *value != "0" && !http::EqualsIgnoreCase(*value, "false");
}

RequestInfo ParseRequestInfo(std::string_view method, std::string_view path, const Query& query) {
  RequestInfo info;
  info.path = Unescape(path, false).value_or(std::string(path));
  std::vector<std::string> parts = SplitPath(info.path);
  const bool core = parts.size() >= 3 && parts[0] == "api";
  const bool grouped = parts.size() >= 4 && parts[0] == "apis";
  if (!core && !grouped) {
    info.verb = std::string(method);
    std::transform(info.verb.begin(), info.verb.end(), info.verb.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return info;
  }
  info.is_resource = true;
  if (grouped) info.id.group = parts[1];
  info.id.version = parts[core ? 1 : 2];
  parts.erase(parts.begin(), parts.begin() + (core ? 2 : 3));
  ParseResourcePath(std::move(parts), info);
  const bool watch = info.watch_path || query.IsTrue("watch");
  info.verb = info.watch_path ? "watch" : VerbOf(method, !info.name.empty(), watch);
  // A selector for one name makes it the name of the request, as authorisation sees it.
  if (info.name.empty() && (info.verb == "list" || info.verb == "watch")) {
    if (const auto fields = FieldSelector::Parse(query.Text("fieldSelector")); fields.ok()) {
      const auto name = fields->RequiredValue("metadata.name");
      if (name && name->find_first_of("/%") == std::string_view::npos) info.name = *name;
    }
  }
  return info;
}

ApiError BadRequest(std::string message) {
  ApiError error;
  error.code = 400;
  error.reason = "BadRequest";
  error.message = std::move(message);
  return error;
}

bool AcceptsJson(const http::HeaderList& headers) {
  const std::string* accept = headers.First("Accept");
  if (accept == nullptr || accept->empty()) return true;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    std::string_view clause = rest.substr(0, comma);
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    while (clause.starts_with(' ')) clause.remove_prefix(1);
    std::string_view type = clause.substr(0, clause.find(';'));
    while (type.ends_with(' ')) type.remove_suffix(1);
    const bool json = type == "application/json" || type == "*/*" || type == "application/*";
    // Conversions to Table and PartialObjectMetadata are not offered: the next clause is tried.
    if (json && clause.find("as=") == std::string_view::npos) return true;
  }
  return false;
}

}  // namespace weir::sim
