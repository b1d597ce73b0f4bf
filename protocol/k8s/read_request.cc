#include "protocol/k8s/read_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

namespace weir {

namespace {

using Outcome = std::variant<ReadRequest, ForwardReason>;
using Query = std::map<std::string, std::string, std::less<>>;

bool IsPathByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == ':' || c == '-';
}

// The segments of a path that equals its own decoded and cleaned form; empty where it does not.
std::vector<std::string_view> PlainSegments(std::string_view path) {
  std::vector<std::string_view> segments;
  if (path.empty() || path.front() != '/') return {};
  path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") return {};
    if (!std::all_of(segment.begin(), segment.end(), IsPathByte)) return {};
    segments.push_back(segment);
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// Fills resource, namespace and name from a plain collection or object path
// (api-semantics 1.1, 1.3).
bool ParsePath(std::string_view path, ReadRequest& request) {
  const std::vector<std::string_view> segments = PlainSegments(path);
  size_t next = 0;
  if (segments.size() >= 3 && segments[0] == "api") {
    request.resource.version = segments[1];
    next = 2;
  } else if (segments.size() >= 4 && segments[0] == "apis") {
    request.resource.group = segments[1];
    request.resource.version = segments[2];
    next = 3;
  } else {
    return false;
  }
  if (segments[next] == "watch" || segments[next] == "proxy") return false;
  const size_t left = segments.size() - next;
  if (segments[next] != "namespaces") {
    if (left > 2) return false;
    request.resource.resource = segments[next];
    if (left == 2) request.name = segments[next + 1];
    return true;
  }
  if (left <= 2) {
    request.resource.resource = "namespaces";
    // A namespace is its own scope: RoleBindings inside it can grant reading it.
    if (left == 2) request.namespace_ = request.name = segments[next + 1];
    return true;
  }
  if (left > 4 || segments[next + 2] == "status" || segments[next + 2] == "finalize") return false;
  request.namespace_ = segments[next + 1];
  request.resource.resource = segments[next + 2];
  if (left == 4) request.name = segments[next + 3];
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As Go's url.QueryUnescape, but nothing where Go would drop the setting.
std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out.push_back(' ');
    } else if (text[i] != '%') {
      out.push_back(text[i]);
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return out;
}

constexpr std::array<std::string_view, 11> kKnown = {"allowWatchBookmarks",
                                                     "continue",
                                                     "fieldSelector",
                                                     "labelSelector",
                                                     "limit",
                                                     "pretty",
                                                     "resourceVersion",
                                                     "resourceVersionMatch",
                                                     "timeout",
                                                     "timeoutSeconds",
                                                     "watch"};

// Every setting known, once, and cleanly encoded; nothing where one is not.
std::optional<Query> ParseQuery(std::string_view text) {
  Query query;
  if (text.find(';') != std::string_view::npos) return std::nullopt;
  while (!text.empty()) {
    const size_t end = text.find('&');
    const std::string_view setting = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (setting.empty()) continue;
    const size_t equals = setting.find('=');
    const auto name = Unescape(setting.substr(0, equals));
    const auto value = Unescape(equals == std::string_view::npos ? std::string_view()
                                                                 : setting.substr(equals + 1));
    if (!name.has_value() || !value.has_value()) return std::nullopt;
    if (std::find(kKnown.begin(), kKnown.end(), *name) == kKnown.end()) return std::nullopt;
    if (!query.emplace(*name, *value).second) return std::nullopt;
  }
  return query;
}

std::string_view Value(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

// Absent, "0" and "false" are false, all else is true; what only Go's letter-case rules decide is
// left to upstream.
std::optional<bool> ParseBool(const Query& query, std::string_view name) {
  const auto found = query.find(name);
  if (found == query.end() || found->second == "0" || found->second == "false") return false;
  if (found->second.empty() || found->second == "1" || found->second == "true") return true;
  return std::nullopt;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The forms of a Go duration that clients send: "30s", "1m30s", "500ms"; others are left to
// upstream.
std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  std::chrono::nanoseconds total{0};
  if (text == "0") return total;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    std::chrono::nanoseconds unit{0};
    size_t length = 1;
    if (text.starts_with("ms")) {
      unit = std::chrono::milliseconds(1);
      length = 2;
    } else if (text.starts_with("s")) {
      unit = std::chrono::seconds(1);
    } else if (text.starts_with("m")) {
      unit = std::chrono::minutes(1);
    } else if (text.starts_with("h")) {
      if (number > 10'000) return std::nullopt;
      unit = std::chrono::hours(1);
    } else {
      return std::nullopt;
    }
    total += number * unit;
    if (total > std::chrono::hours(24)) total = std::chrono::hours(24);
    text.remove_prefix(length);
  }
  return total;
}

bool IsIndexedField(const ResourceId& id, std::string_view field) {
  if (field == "metadata.name" || field == "metadata.namespace") return true;
  return field == "spec.nodeName" && id.group.empty() && id.version == "v1" &&
         id.resource == "pods";
}

std::optional<ForwardReason> ParseSelectors(const Query& query, ReadRequest& request) {
  auto labels = LabelSelector::Parse(Value(query, "labelSelector"));
  if (!labels.ok()) return ForwardReason::kQuery;
  auto fields = FieldSelector::Parse(Value(query, "fieldSelector"));
  if (!fields.ok()) return ForwardReason::kQuery;
  for (const FieldSelector::Requirement& r : fields->requirements()) {
    if (!IsIndexedField(request.resource, r.field)) return ForwardReason::kSelector;
  }
  // The first required metadata.name is the request's name, where it can be one
  // (api-semantics 1.5).
  if (const auto name = fields->RequiredValue("metadata.name");
      name.has_value() && !name->empty()) {
    if (*name == "." || *name == ".." || name->find_first_of("/%") != std::string_view::npos) {
      return ForwardReason::kQuery;
    }
    request.name = *name;
  }
  request.label_selector = std::move(*labels);
  request.field_selector = std::move(*fields);
  return std::nullopt;
}

// False: upstream would refuse the combination, or it is odd enough to be left to it
// (api-semantics 1.9, 2.2).
bool ParseRevision(const Query& query, ReadRequest& request) {
  const std::string_view revision = Value(query, "resourceVersion");
  if (!revision.empty()) {
    const auto number = ParseNumber<uint64_t>(revision);
    if (!number.has_value() || std::to_string(*number) != revision) return false;
    request.resource_version = Revision{*number};
  }
  const std::string_view match = Value(query, "resourceVersionMatch");
  if (match == "Exact") {
    request.match = ReadRequest::Match::kExact;
  } else if (match == "NotOlderThan") {
    request.match = ReadRequest::Match::kNotOlderThan;
  } else if (!match.empty()) {
    return false;
  }
  if (match.empty()) return true;
  if (request.verb != ReadVerb::kList || !request.resource_version.has_value()) return false;
  return match != "Exact" || request.resource_version->value != 0;
}

bool ParseListOptions(const Query& query, ReadRequest& request) {
  if (query.contains("limit")) {
    const auto limit = ParseNumber<int64_t>(Value(query, "limit"));
    if (!limit.has_value()) return false;
    request.limit = *limit;
  }
  if (query.contains("timeoutSeconds")) {
    request.timeout_seconds = ParseNumber<int64_t>(Value(query, "timeoutSeconds"));
    if (!request.timeout_seconds.has_value() || *request.timeout_seconds < 0) return false;
  }
  const auto bookmarks = ParseBool(query, "allowWatchBookmarks");
  if (!bookmarks.has_value()) return false;
  request.allow_watch_bookmarks = *bookmarks;
  if (const std::string_view token = Value(query, "continue"); !token.empty()) {
    if (request.verb != ReadVerb::kList || request.resource_version.has_value()) return false;
    if (request.match != ReadRequest::Match::kUnset) return false;
    auto decoded = ContinueToken::Decode(token);
    if (!decoded.ok()) return false;
    request.continue_token = std::move(*decoded);
  }
  return true;
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         http::EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool HasSpecialHeaders(const http::HeaderList& headers) {
  return std::any_of(headers.lines().begin(), headers.lines().end(),
                     [](const http::Header& header) {
                       return http::EqualsIgnoreCase(header.name, "upgrade") ||
                              StartsWithIgnoreCase(header.name, "impersonate-") ||
                              StartsWithIgnoreCase(header.name, "impersonate_");
                     });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view ToString(ForwardReason reason) {
  switch (reason) {
    case ForwardReason::kMethod:
      return "method";
    case ForwardReason::kPath:
      return "path";
    case ForwardReason::kQuery:
      return "query";
    case ForwardReason::kAccept:
      return "accept";
    case ForwardReason::kHeaders:
      return "headers";
    case ForwardReason::kExcluded:
      return "excluded";
    case ForwardReason::kSelector:
      return "selector";
    case ForwardReason::kFreshness:
      return "freshness";
    case ForwardReason::kNotReady:
      return "not_ready";
  }
  return "unknown";
}

bool WantsPretty(const http::RequestHead& head) {
  // Any mention of the parameter in the query is left to upstream's own parsing.
  if (head.query().find("pretty") != std::string_view::npos) return true;
  const std::string* agent = head.headers.First("User-Agent");
  return agent != nullptr && (agent->starts_with("curl") || agent->starts_with("Wget") ||
                              agent->starts_with("Mozilla/5.0"));
}

// Accepts only lists whose every clause before the winner is beyond doubt: exact types without
// parameters, in the order given. All that weighs (q, conversions, streams) is upstream's to
// decide.
bool AcceptsPlainJson(const http::RequestHead& head, bool watch) {
  if (head.headers.Count("Accept") > 1) return false;
  const std::string* accept = head.headers.First("Accept");
  if (accept == nullptr || accept->empty()) return true;
  const std::string_view text = *accept;
  if (watch && text == "application/json;stream=watch") return true;
  if (text.find(';') != std::string_view::npos) return false;
  const std::string_view first = Trim(text.substr(0, text.find(',')));
  if (first == "application/json") return true;
  return first == "*/*" && text.find(',') == std::string_view::npos;
}

Outcome ClassifyRead(const http::RequestHead& head) {
  ReadRequest request;
  if (head.method != "GET" || head.body.kind != http::BodyFraming::Kind::kNone) {
    return ForwardReason::kMethod;
  }
  if (HasSpecialHeaders(head.headers)) return ForwardReason::kHeaders;
  if (!ParsePath(head.path(), request)) return ForwardReason::kPath;
  const std::optional<Query> query = ParseQuery(head.query());
  if (!query.has_value()) return ForwardReason::kQuery;

  const bool named = !request.name.empty();
  const std::optional<bool> watch = ParseBool(*query, "watch");
  if (!watch.has_value() || (named && *watch)) return ForwardReason::kQuery;
  request.verb = named ? ReadVerb::kGet : *watch ? ReadVerb::kWatch : ReadVerb::kList;
  if (!AcceptsPlainJson(head, *watch)) return ForwardReason::kAccept;
  if (request.verb != ReadVerb::kWatch && WantsPretty(head)) return ForwardReason::kAccept;

  if (query->contains("timeout")) {
    const auto timeout = ParseDuration(Value(*query, "timeout"));
    if (!timeout.has_value()) return ForwardReason::kQuery;
    request.timeout = *timeout;
  }
  if (!ParseRevision(*query, request)) return ForwardReason::kQuery;
  if (request.verb == ReadVerb::kGet) {
    if (!Value(*query, "labelSelector").empty() || !Value(*query, "fieldSelector").empty()) {
      return ForwardReason::kQuery;
    }
    return request;
  }
  if (const auto reason = ParseSelectors(*query, request); reason.has_value()) return *reason;
  if (!ParseListOptions(*query, request)) return ForwardReason::kQuery;
  return request;
}

}  // namespace weir
