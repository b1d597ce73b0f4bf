#include "proxy/session/forward_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "protocol/http/request_target.h"
#include "protocol/k8s/query.h"
#include "proxy/auth/bearer_token.h"
#include "proxy/session/identity_headers.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

bool IsTokenByte(unsigned char c) {
  constexpr std::string_view kMarks = "!#$&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(static_cast<char>(c)) != std::string_view::npos;
}

// A key of `extra` as part of a header's name: whatever is no token byte, `%` itself, and capitals,
// of which the header's name keeps none, becomes %XX.
std::string EscapeKey(std::string_view key) {
  std::string escaped;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    const bool capital = c >= 'A' && c <= 'Z';
    if (IsTokenByte(byte) && !capital) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", byte);
    }
  }
  return escaped;
}

bool IsHeaderValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// `prefix`: "X-Remote-" or "Impersonate-"; what follows is the same in both.
Status AddIdentity(const Identity& identity, std::string_view prefix, http::HeaderList& headers) {
  const auto add = [&](std::string_view name, std::string_view value) -> Status {
    if (!IsHeaderValue(value))
      return InvalidArgument("the user's name, group or extra holds a control byte");
    // Upstream would trim it, and see somebody else.
    if (!value.empty() && (IsBlank(value.front()) || IsBlank(value.back())))
      return InvalidArgument("the user's name, group or extra begins or ends with a space");
    headers.Add(fmt::format("{}{}", prefix, name), value);
    return OkStatus();
  };
  // Upstream takes no name for no impersonation: the request would be Weir's own.
  if (identity.name.empty()) return InvalidArgument("the user has no name");
  WEIR_TRY(add("User", identity.name));
  if (!identity.uid.empty()) WEIR_TRY(add("Uid", identity.uid));
  for (const std::string& group : identity.groups) WEIR_TRY(add("Group", group));
  for (const auto& [key, values] : identity.extra) {
    for (const std::string& value : values) WEIR_TRY(add("Extra-" + EscapeKey(key), value));
  }
  return OkStatus();
}

// Whom the request came through. Only a front proxy is believed about those before it.
std::string ForwardedFor(const Exchange& exchange) {
  std::string all;
  if (exchange.certificate().front_proxy) {
    for (const http::Header& line : exchange.request().headers.lines()) {
      if (!line.value.empty() && http::EqualsIgnoreCase(line.name, "x-forwarded-for"))
        all += line.value + ", ";
    }
  }
  return all + exchange.peer_address();
}

// As upstream's splitPath(): without the slashes at both ends; what is between two is a part,
// though it be empty.
std::vector<std::string_view> Split(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  std::vector<std::string_view> parts;
  for (size_t slash = 0; slash != std::string_view::npos && !path.empty();) {
    slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  }
  return parts;
}

// As upstream converts `watch` (apimachinery's Convert_Slice_string_To_bool).
bool AsksToWatch(std::string_view query) {
  const std::optional<std::string> value = FirstQueryValue(query, "watch");
  return value.has_value() && *value != "0" && !http::EqualsIgnoreCase(*value, "false");
}

}  // namespace

std::variant<ForwardAs, ApiError> ChooseCredential(const http::HeaderList& headers,
                                                   const Credentials& credentials,
                                                   const Config& config, Upstream& upstream) {
  if (credentials.kind != Credentials::Kind::kCertificate) return ForwardAs();
  if (upstream.tls(CredentialClass::kFrontProxy) != nullptr) {
    return ForwardAs{CredentialClass::kFrontProxy, {}};
  }
  if (!config.forward_impersonate) {
    return ApiError::NotImplemented(
        "this proxy cannot forward requests of client-certificate users: set "
        "--proxy-client-cert-file and --proxy-client-key-file, or grant \"impersonate\" and set "
        "--forward-impersonate");
  }
  const std::vector<std::string>& groups = credentials.identity->groups;
  const bool master = std::find(groups.begin(), groups.end(), "system:masters") != groups.end();
  if (master && !config.forward_impersonate_masters) {
    return ApiError::NotImplemented(
        "this proxy does not impersonate system:masters: set --forward-impersonate-masters");
  }
  if (HasImpersonation(headers)) {
    return ApiError::Forbidden(
        ResourceId(), "",
        "this proxy impersonates client-certificate users, who cannot impersonate others through "
        "it");
  }
  return ForwardAs{CredentialClass::kImpersonator, upstream.OwnAuthorization()};
}

StatusOr<http::RequestHead> UpstreamHead(const Exchange& exchange, const Credentials& credentials,
                                         const ForwardAs& as, const IdentityHeaderNames& own) {
  const http::RequestHead& request = exchange.request();
  http::RequestHead head;
  head.method = request.method;
  head.target = request.target;
  head.body = request.body;
  const bool certificate = credentials.kind == Credentials::Kind::kCertificate;
  const bool token = credentials.kind == Credentials::Kind::kToken;
  const auto protocol = RequestedUpgrade(request);
  const bool switches = protocol.has_value();
  for (const http::Header& line : request.headers.lines()) {
    if (IsStrippedFromRequests(request.headers, line.name, own)) continue;
    // Only the identity that was found is forwarded: a token beside a certificate is not.
    if ((certificate || token) && http::EqualsIgnoreCase(line.name, "authorization")) continue;
    if (switches && http::EqualsIgnoreCase(line.name, "sec-websocket-protocol")) {
      // A token among them is the identity, which goes on as one, or is beside it, and stays here.
      // Upstream would agree to the first entry, and the client to no token.
      if (const std::string kept = WithoutTokens(line.value); !kept.empty())
        head.headers.Add(line.name, kept);
      continue;
    }
    head.headers.Add(line.name, line.value);
  }
  if (const std::string* te = request.headers.First("TE");
      te != nullptr && http::EqualsIgnoreCase(*te, "trailers")) {
    head.headers.Add("TE", "trailers");
  }
  if (switches) {
    head.headers.Add("Connection", "Upgrade");
    head.headers.Add("Upgrade", *protocol);
  }
  if (token) head.headers.Add("Authorization", "Bearer " + credentials.token);
  if (certificate) {
    const bool impersonates = as.credential == CredentialClass::kImpersonator;
    if (!as.authorization.empty()) head.headers.Add("Authorization", as.authorization);
    WEIR_TRY(AddIdentity(*credentials.identity, impersonates ? "Impersonate-" : "X-Remote-",
                         head.headers));
  }
  head.headers.Add("X-Forwarded-For", ForwardedFor(exchange));
  const std::string* audit = head.headers.First("Audit-ID");
  if (audit == nullptr || audit->empty()) head.headers.Set("Audit-ID", RandomUuid());
  return head;
}

http::ResponseHead RelayedHead(http::ResponseHead head) {
  http::ResponseHead relayed;
  relayed.status = head.status;
  relayed.reason = std::move(head.reason);
  relayed.body = head.body;
  using Kind = http::BodyFraming::Kind;
  if (relayed.body.kind == Kind::kUntilClose) relayed.body.kind = Kind::kChunked;
  for (const http::Header& line : head.headers.lines()) {
    if (IsStrippedFromResponses(head.headers, line.name)) continue;
    // Of an answer without a body (HEAD, 304) the length is information, not framing; a 1xx or 204
    // may have none.
    const bool informs =
        relayed.body.kind == Kind::kNone && head.status >= 200 && head.status != 204;
    if (!informs && http::EqualsIgnoreCase(line.name, "content-length")) continue;
    relayed.headers.Add(line.name, line.value);
  }
  return relayed;
}

bool IsLongRunning(const http::RequestHead& request) {
  // Upstream looks at the path without its escapes.
  const std::string path = http::WithoutEscapes(request.path());
  if (path.starts_with("/debug/pprof/")) return true;
  std::vector<std::string_view> parts = Split(path);
  const auto drop = [&parts](ptrdiff_t count) {
    parts.erase(parts.begin(), parts.begin() + count);
  };
  // requestinfo.go: prefix and version, the group between them.
  if (parts.size() < 3 || (parts[0] != "api" && parts[0] != "apis")) return false;
  const bool grouped = parts[0] == "apis";
  if (grouped && parts.size() < 4) return false;
  drop(grouped ? 3 : 2);
  if (parts[0] == "watch" || parts[0] == "proxy") return parts.size() > 1;
  if (parts[0] == "namespaces" && parts.size() > 2 && parts[2] != "status" &&
      parts[2] != "finalize")
    drop(2);
  // Now resource, name, subresource. kube-apiserver's long-running ones.
  if (parts.size() < 2)
    return (request.method == "GET" || request.method == "HEAD") && AsksToWatch(request.query());
  constexpr std::array<std::string_view, 5> kStreams = {"attach", "exec", "proxy", "log",
                                                        "portforward"};
  return parts.size() > 2 &&
         std::find(kStreams.begin(), kStreams.end(), parts[2]) != kStreams.end();
}

}  // namespace weir
