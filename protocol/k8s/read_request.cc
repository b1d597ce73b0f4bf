#include "protocol/k8s/read_request.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "protocol/k8s/built_in_groups.h"
#include "protocol/k8s/go_duration.h"
#include "protocol/k8s/query.h"
#include "protocol/k8s/selectable_fields.h"

namespace weir {
namespace {

// ---- path

bool IsPathByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == ':' || c == '-';
}

// A segment that equals its own decoded and cleaned form.
bool IsPlainSegment(std::string_view segment) {
  return !segment.empty() && segment != "." && segment != ".." &&
         std::all_of(segment.begin(), segment.end(), IsPathByte);
}

// Empty where any segment is not plain.
std::vector<std::string_view> PlainSegments(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.starts_with('/')) return {};
  path.remove_prefix(1);
  for (;;) {
    const size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (!IsPlainSegment(segments.back())) return {};
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// `parts` begins with "namespaces" (api-semantics 1.3).
bool ParseNamespacedPath(const std::vector<std::string_view>& parts, ReadRequest& request) {
  if (parts.size() <= 2) {
    request.resource.resource = "namespaces";
    // A namespace is its own scope: RoleBindings inside it can grant reading it.
    if (parts.size() == 2) request.namespace_ = request.name = parts[1];
    return true;
  }
  // A namespace inside a namespace has no route, yet would look like the collection of them all.
  const bool has_resource =
      parts[2] != "status" && parts[2] != "finalize" && parts[2] != "namespaces";
  if (!has_resource || parts.size() > 4) return false;
  request.namespace_ = parts[1];
  request.resource.resource = parts[2];
  if (parts.size() == 4) request.name = parts[3];
  return true;
}

// Fills resource, namespace and name from the path of a collection or an object
// (api-semantics 1.1).
bool ParsePath(std::string_view path, ReadRequest& request) {
  std::vector<std::string_view> parts = PlainSegments(path);
  std::ptrdiff_t prefix = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    request.resource.version = parts[1];
    prefix = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    request.resource.group = parts[1];
    request.resource.version = parts[2];
    prefix = 3;
  } else {
    return false;
  }
  parts.erase(parts.begin(), parts.begin() + prefix);
  if (parts[0] == "watch" || parts[0] == "proxy") return false;
  if (parts[0] == "namespaces") return ParseNamespacedPath(parts, request);
  if (parts.size() > 2) return false;
  request.resource.resource = parts[0];
  if (parts.size() == 2) request.name = parts[1];
  return true;
}

// ---- query

enum Parameter : uint8_t {
  kAllowWatchBookmarks,
  kContinue,
  kFieldSelector,
  kLabelSelector,
  kLimit,
  kPretty,
  kResourceVersion,
  kResourceVersionMatch,
  kSendInitialEvents,
  kTimeout,
  kTimeoutSeconds,
  kWatch,
};
constexpr std::array<std::string_view, 12> kParameterNames = {"allowWatchBookmarks",
                                                              "continue",
                                                              "fieldSelector",
                                                              "labelSelector",
                                                              "limit",
                                                              "pretty",
                                                              "resourceVersion",
                                                              "resourceVersionMatch",
                                                              "sendInitialEvents",
                                                              "timeout",
                                                              "timeoutSeconds",
                                                              "watch"};

// The settings of one query: each known, and there at most once.
class Options {
 public:
  // False: something is unknown, repeated or not cleanly written.
  bool Read(std::string_view query) {
    auto settings = ParseQueryStrictly(query);
    if (!settings) return false;
    for (QuerySetting& setting : *settings) {
      const auto name = std::find(kParameterNames.begin(), kParameterNames.end(), setting.name);
      if (name == kParameterNames.end()) return false;
      auto& value = values_[static_cast<size_t>(name - kParameterNames.begin())];
      if (value) return false;
      value = std::move(setting.value);
    }
    return true;
  }

  bool Has(Parameter parameter) const { return values_[parameter].has_value(); }
  // Empty where it is absent, which is the same to upstream for all but numbers and booleans.
  std::string_view Text(Parameter parameter) const {
    return Has(parameter) ? std::string_view(*values_[parameter]) : std::string_view();
  }

 private:
  std::array<std::optional<std::string>, kParameterNames.size()> values_;
};

// Absent, "0" and "false" are false and all else is true upstream; nothing for the odd values.
std::optional<bool> ReadBool(const Options& options, Parameter parameter) {
  if (!options.Has(parameter)) return false;
  const std::string_view text = options.Text(parameter);
  if (text == "0" || http::EqualsIgnoreCase(text, "false")) return false;
  if (text.empty() || text == "1" || http::EqualsIgnoreCase(text, "true")) return true;
  return std::nullopt;
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

// Both may be ignored later, but upstream refuses what is no number even then.
bool ReadNumbers(const Options& options, ReadRequest& request) {
  // Beyond this upstream's arithmetic overflows; a negative one ends the watch at once.
  constexpr int64_t kMaxSeconds = std::numeric_limits<int64_t>::max() / 1'000'000'000;
  if (options.Has(kLimit)) {
    const auto limit = ParseNumber<int64_t>(options.Text(kLimit));
    if (!limit) return false;
    request.limit = *limit;
  }
  if (options.Has(kTimeoutSeconds)) {
    const auto seconds = ParseNumber<int64_t>(options.Text(kTimeoutSeconds));
    if (!seconds || *seconds < 0 || *seconds > kMaxSeconds) return false;
    request.timeout_seconds = seconds;
  }
  return true;
}

bool ReadRevision(const Options& options, ReadRequest& request) {
  const std::string_view text = options.Text(kResourceVersion);
  if (text.empty()) return true;
  const auto number = ParseNumber<uint64_t>(text);
  // Upstream compares the text with "0" in places, so that "00" is not the same.
  if (!number || std::to_string(*number) != text) return false;
  request.resource_version = Revision{*number};
  return true;
}

// False for what upstream refuses (api-semantics 1.9). On a WATCH the two go together.
bool ReadInitialEvents(const Options& options, ReadRequest& request) {
  const bool has = options.Has(kSendInitialEvents);
  if (request.verb == ReadVerb::kList) return !has;
  const std::string_view match = options.Text(kResourceVersionMatch);
  if (!has) return match.empty();
  request.send_initial_events = ReadBool(options, kSendInitialEvents);
  request.match = ReadRequest::Match::kNotOlderThan;
  return request.send_initial_events.has_value() && match == "NotOlderThan";
}

// False for what upstream refuses on a LIST, and everywhere else.
bool ReadMatch(const Options& options, ReadRequest& request) {
  if (request.verb == ReadVerb::kWatch) return true;
  const std::string_view text = options.Text(kResourceVersionMatch);
  if (text.empty()) return true;
  if (request.verb != ReadVerb::kList || !request.resource_version) return false;
  if (text == "NotOlderThan") {
    request.match = ReadRequest::Match::kNotOlderThan;
    return true;
  }
  request.match = ReadRequest::Match::kExact;
  return text == "Exact" && request.resource_version->value != 0;
}

// Upstream tolerates revision "0" beside a token and then forgets the limit, and ignores some
// tokens on a WATCH; both are left to it.
bool ReadContinue(const Options& options, ReadRequest& request) {
  const std::string_view text = options.Text(kContinue);
  if (text.empty()) return true;
  if (request.verb != ReadVerb::kList || request.resource_version) return false;
  auto token = ContinueToken::Decode(text);
  if (!token.ok()) return false;
  request.continue_token = std::move(*token);
  return true;
}

// Only LIST and GET have it; what is not positive counts as absent.
bool ReadTimeout(const Options& options, ReadRequest& request) {
  const std::string_view text = options.Text(kTimeout);
  if (text.empty() || request.verb == ReadVerb::kWatch) return true;
  const auto timeout = ParseGoDuration(text);
  if (!timeout) return false;
  request.timeout = std::max(*timeout, std::chrono::nanoseconds(0));
  return true;
}

// ---- selectors

// Which fields a type has is known here where it is built in; of others the session knows it.
bool MayBeServed(const FieldSelector& selector, const ResourceId& id) {
  if (selector.empty() || !IsBuiltInGroup(id.group)) return true;
  return SelectorsServed(selector, *SelectableFields::BuiltIn(id), /*namespaced=*/true,
                         /*custom=*/false);
}

std::optional<ForwardReason> ReadSelectors(const Options& options, ReadRequest& request) {
  auto labels = LabelSelector::Parse(options.Text(kLabelSelector));
  auto fields = FieldSelector::Parse(options.Text(kFieldSelector));
  if (!labels.ok() || !fields.ok()) return ForwardReason::kQuery;
  if (!MayBeServed(*fields, request.resource)) return ForwardReason::kSelector;
  if (const auto name = fields->RequiredValue("metadata.name")) {
    // Upstream takes some other values for a name too, and some not (api-semantics 1.5).
    if (!IsPlainSegment(*name)) return ForwardReason::kSelector;
    request.name = *name;
  }
  request.label_selector = std::move(*labels);
  request.field_selector = std::move(*fields);
  return std::nullopt;
}

// ---- verbs

// Other list options mean nothing to a GET, and are no reason to guess.
std::optional<ForwardReason> ReadGet(const Options& options, ReadRequest& request) {
  request.verb = ReadVerb::kGet;
  constexpr std::array kKnown = {kPretty, kResourceVersion, kTimeout};
  for (size_t i = 0; i < kParameterNames.size(); ++i) {
    const auto parameter = static_cast<Parameter>(i);
    const bool known = std::find(kKnown.begin(), kKnown.end(), parameter) != kKnown.end();
    if (options.Has(parameter) && !known) return ForwardReason::kQuery;
  }
  const bool valid = ReadRevision(options, request) && ReadTimeout(options, request);
  return valid ? std::nullopt : std::optional(ForwardReason::kQuery);
}

std::optional<ForwardReason> ReadCollection(const Options& options, ReadRequest& request) {
  const auto watch = ReadBool(options, kWatch);
  const auto bookmarks = ReadBool(options, kAllowWatchBookmarks);
  if (!watch || !bookmarks) return ForwardReason::kQuery;
  request.verb = *watch ? ReadVerb::kWatch : ReadVerb::kList;
  request.allow_watch_bookmarks = *bookmarks;
  const bool valid = ReadNumbers(options, request) && ReadRevision(options, request) &&
                     ReadInitialEvents(options, request) && ReadMatch(options, request) &&
                     ReadContinue(options, request) && ReadTimeout(options, request);
  if (!valid) return ForwardReason::kQuery;
  return ReadSelectors(options, request);
}

// ---- headers

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return http::EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

bool MentionsUpgrade(std::string_view connection) {
  while (!connection.empty()) {
    if (StartsWithIgnoreCase(connection, "upgrade")) return true;
    connection.remove_prefix(1);
  }
  return false;
}

// Versions whose conversion adds annotations, so that the metadata inside an object is not what
// upstream sends when asked for the metadata alone: that is of no version.
bool HasMetadataOfItsVersion(const ResourceId& id) {
  return id == ResourceId{"apps", "v1", "daemonsets"} ||
         id == ResourceId{"autoscaling", "v1", "horizontalpodautoscalers"};
}

bool IsForwardedHeader(const http::Header& header) {
  if (http::EqualsIgnoreCase(header.name, "connection")) return MentionsUpgrade(header.value);
  return http::EqualsIgnoreCase(header.name, "upgrade") ||
         http::EqualsIgnoreCase(header.name, "expect") ||
         StartsWithIgnoreCase(header.name, "impersonate-") ||
         StartsWithIgnoreCase(header.name, "impersonate_");
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

std::variant<ReadRequest, ForwardReason> ClassifyRead(const http::RequestHead& head) {
  if (head.method != "GET" || head.body.kind != http::BodyFraming::Kind::kNone) {
    return ForwardReason::kMethod;
  }
  const auto& lines = head.headers.lines();
  if (std::any_of(lines.begin(), lines.end(), IsForwardedHeader)) return ForwardReason::kHeaders;

  ReadRequest request;
  if (!ParsePath(head.path(), request)) return ForwardReason::kPath;
  Options options;
  if (!options.Read(head.query())) return ForwardReason::kQuery;
  const auto reason =
      request.name.empty() ? ReadCollection(options, request) : ReadGet(options, request);
  if (reason) return *reason;

  request.forms = NegotiateRead(head, request.verb);
  if (request.forms.built_in.form.metadata_only && HasMetadataOfItsVersion(request.resource)) {
    return ForwardReason::kAccept;
  }
  request.gzip = AcceptsGzip(head);
  if (!request.forms.built_in.serve && !request.forms.custom.serve) return ForwardReason::kAccept;
  return request;
}

}  // namespace weir
