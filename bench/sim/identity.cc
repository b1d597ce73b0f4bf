#include "bench/sim/identity.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::sim {
namespace {

constexpr std::string_view kFrontProxy = "front-proxy-client";
constexpr std::string_view kAuthenticated = "system:authenticated";
constexpr std::string_view kUnauthenticated = "system:unauthenticated";

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

bool StartsWithIgnoreCase(std::string_view text, std::string_view prefix) {
  return http::EqualsIgnoreCase(text.substr(0, prefix.size()), prefix);
}

std::vector<std::string> ValuesOf(const http::HeaderList& headers, std::string_view name) {
  std::vector<std::string> values;
  for (const http::Header& line : headers.lines()) {
    if (http::EqualsIgnoreCase(line.name, name)) values.push_back(line.value);
  }
  return values;
}

void AddExtra(const http::HeaderList& headers, std::string_view prefix, Identity& identity) {
  for (const http::Header& line : headers.lines()) {
    if (!StartsWithIgnoreCase(line.name, prefix)) continue;
    const std::string key = Lower(std::string_view(line.name).substr(prefix.size()));
    identity.extra[Unescape(key, false).value_or(key)].push_back(line.value);
  }
}

std::string First(const http::HeaderList& headers, std::string_view name) {
  const std::string* value = headers.First(name);
  return value != nullptr ? *value : std::string();
}

// The token of an Authorization line; nothing where there is none of that kind.
std::optional<std::string> BearerToken(const http::HeaderList& headers) {
  const std::string* line = headers.First("Authorization");
  if (line == nullptr || !StartsWithIgnoreCase(*line, "bearer ")) return {};
  std::string_view token = std::string_view(*line).substr(7);
  token = token.substr(0, token.find(' '));
  if (token.empty()) return {};
  return std::string(token);
}

Identity Anonymous() { return {"system:anonymous", "", {std::string(kUnauthenticated)}, {}}; }

Identity WithAuthenticated(Identity identity) {
  if (!identity.InGroup(kAuthenticated) && !identity.InGroup(kUnauthenticated)) {
    identity.groups.emplace_back(kAuthenticated);
  }
  return identity;
}

std::optional<Identity> FromFrontProxy(const http::HeaderList& headers) {
  Identity identity;
  identity.name = First(headers, "X-Remote-User");
  if (identity.name.empty()) return {};
  identity.uid = First(headers, "X-Remote-Uid");
  identity.groups = ValuesOf(headers, "X-Remote-Group");
  AddExtra(headers, "X-Remote-Extra-", identity);
  return identity;
}

std::optional<Identity> FromCertificate(const ClientCertificate& certificate) {
  if (certificate.common_name.empty()) return {};
  Identity identity;
  identity.name = certificate.common_name;
  identity.groups = certificate.organisations;
  identity.extra["authentication.kubernetes.io/credential-id"] = {"X509SHA256=" +
                                                                  certificate.fingerprint};
  return identity;
}

// "*", "/logs/*", or the very text.
bool Names(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [text](const std::string& pattern) {
    if (pattern.ends_with('*'))
      return text.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
    return text == pattern;
  });
}

bool AlwaysAllowed(const Identity& identity, const Attributes& attributes) {
  if (identity.InGroup("system:masters")) return true;
  if (!attributes.is_resource) {
    const bool read = attributes.verb == "get" || attributes.verb == "head";
    const std::vector<std::string> everybody = {"/healthz",  "/livez",   "/readyz",  "/version",
                                                "/version/", "/livez/*", "/readyz/*"};
    const std::vector<std::string> authenticated = {"/api",    "/api/*",   "/apis",
                                                    "/apis/*", "/openapi", "/openapi/*"};
    return read && (Names(everybody, attributes.path) ||
                    (identity.InGroup(kAuthenticated) && Names(authenticated, attributes.path)));
  }
  return identity.InGroup(kAuthenticated) && attributes.verb == "create" &&
         attributes.resource.starts_with("self");
}

}  // namespace

bool Identity::InGroup(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

Attributes Attributes::Of(const RequestInfo& info) {
  return {info.is_resource, info.verb,       info.id.group, info.id.resource,
          info.subresource, info.namespace_, info.name,     info.path};
}

Access::Access() = default;

void Access::AddToken(std::string token, Identity identity) {
  tokens_[std::move(token)] = WithAuthenticated(std::move(identity));
}

const Identity* Access::FindToken(std::string_view token) const {
  const auto found = tokens_.find(token);
  return found == tokens_.end() ? nullptr : &found->second;
}

StatusOr<Identity> Access::Authenticate(const http::HeaderList& headers,
                                        const ClientCertificate* certificate) const {
  bool failed = false;
  if (certificate != nullptr) {
    std::optional<Identity> identity;
    if (certificate->verified) {
      identity = certificate->common_name == kFrontProxy ? FromFrontProxy(headers)
                                                         : FromCertificate(*certificate);
    }
    if (identity) return WithAuthenticated(*std::move(identity));
    failed = true;
  }
  if (const auto token = BearerToken(headers)) {
    if (const Identity* identity = FindToken(*token)) return *identity;
    failed = true;
  }
  if (failed) return MakeStatus(absl::StatusCode::kUnauthenticated, "invalid credential");
  return Anonymous();
}

std::variant<Identity, ApiError> Access::Impersonate(const http::HeaderList& headers,
                                                     Identity identity) const {
  Identity other;
  other.name = First(headers, "Impersonate-User");
  other.uid = First(headers, "Impersonate-Uid");
  other.groups = ValuesOf(headers, "Impersonate-Group");
  AddExtra(headers, "Impersonate-Extra-", other);
  if (other.name.empty()) {
    if (other.groups.empty() && other.extra.empty() && other.uid.empty()) return identity;
    ApiError error;
    error.message = "requested impersonation of groups, uid or extra without a user";
    return error;
  }
  Attributes attributes{true, "impersonate", "", "users", "", "", other.name, ""};
  if (!Allows(identity, attributes)) return ForbiddenError(identity, attributes);
  attributes.resource = "groups";
  for (const std::string& group : other.groups) {
    attributes.name = group;
    if (!Allows(identity, attributes)) return ForbiddenError(identity, attributes);
  }
  if (other.name == "system:anonymous") {
    other.groups.emplace_back(kUnauthenticated);
    return other;
  }
  return WithAuthenticated(std::move(other));
}

bool Access::Covers(const Rule& rule, const Identity& identity, const Attributes& attributes) {
  const bool subject =
      Names(rule.users, identity.name) ||
      std::any_of(identity.groups.begin(), identity.groups.end(),
                  [&](const std::string& group) { return Names(rule.groups, group); });
  if (!subject || !Names(rule.verbs, attributes.verb)) return false;
  if (!attributes.is_resource) return Names(rule.paths, attributes.path);
  std::string resource = attributes.resource;
  if (!attributes.group.empty()) resource += "." + attributes.group;
  if (!attributes.subresource.empty()) resource += "/" + attributes.subresource;
  return Names(rule.resources, resource) &&
         (rule.namespaces.empty() || Names(rule.namespaces, attributes.namespace_)) &&
         (rule.names.empty() || Names(rule.names, attributes.name));
}

bool Access::Allows(const Identity& identity, const Attributes& attributes) const {
  return AlwaysAllowed(identity, attributes) ||
         std::any_of(rules_.begin(), rules_.end(),
                     [&](const Rule& rule) { return Covers(rule, identity, attributes); });
}

ApiError ForbiddenError(const Identity& identity, const Attributes& attributes) {
  if (!attributes.is_resource) {
    return ApiError::Forbidden({}, "",
                               fmt::format(R"(forbidden: User "{}" cannot {} path "{}")",
                                           identity.name, attributes.verb, attributes.path));
  }
  const ResourceId id{attributes.group, "", attributes.resource};
  std::string subject = id.GroupResource();
  std::string resource = attributes.resource;
  if (!attributes.subresource.empty()) {
    subject = attributes.resource + "/" + attributes.subresource;
    if (!attributes.group.empty()) subject = id.GroupResource() + "/" + attributes.subresource;
    resource += "/" + attributes.subresource;
  }
  if (!attributes.name.empty()) subject += fmt::format(" \"{}\"", attributes.name);
  const std::string scope = attributes.namespace_.empty()
                                ? "at the cluster scope"
                                : fmt::format("in the namespace \"{}\"", attributes.namespace_);
  return ApiError::Forbidden(
      id, attributes.name,
      fmt::format(R"({} is forbidden: User "{}" cannot {} resource "{}" in API group "{}" {})",
                  subject, identity.name, attributes.verb, resource, attributes.group, scope));
}

}  // namespace weir::sim
