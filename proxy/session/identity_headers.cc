#include "proxy/session/identity_headers.h"

#include <algorithm>
#include <array>

#include "protocol/http/field_line.h"

namespace weir {

std::string FoldedHeaderName(std::string_view name) {
  std::string folded(name);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return folded;
}

namespace {

// Of a front proxy.
bool NamesUser(std::string_view folded, const IdentityHeaderNames& own) {
  return folded.starts_with("x-remote-") ||
         std::find(own.names.begin(), own.names.end(), folded) != own.names.end() ||
         std::any_of(own.prefixes.begin(), own.prefixes.end(),
                     [&](const std::string& prefix) { return folded.starts_with(prefix); });
}

bool IsIdentity(std::string_view folded, const IdentityHeaderNames& own) {
  return folded == "authorization" || folded.starts_with("impersonate-") || NamesUser(folded, own);
}

bool HasBlankEnds(std::string_view value) { return http::TrimSpace(value).size() != value.size(); }

// Calls `visit` with each option of all `Connection` lines; stops at true.
template <typename Visit>
bool AnyConnectionOption(const http::HeaderList& headers, const Visit& visit) {
  for (const http::Header& line : headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, "connection")) continue;
    std::string_view rest = line.value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      std::string_view option = rest.substr(0, comma);
      while (!option.empty() && (option.front() == ' ' || option.front() == '\t'))
        option.remove_prefix(1);
      while (!option.empty() && (option.back() == ' ' || option.back() == '\t'))
        option.remove_suffix(1);
      if (!option.empty() && visit(FoldedHeaderName(option))) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

bool IsHopByHop(std::string_view folded) {
  constexpr std::array<std::string_view, 7> kHopByHop = {
      "connection",        "keep-alive", "proxy-connection", "te",
      "transfer-encoding", "upgrade",    "http2-settings"};
  return std::find(kHopByHop.begin(), kHopByHop.end(), folded) != kHopByHop.end();
}

}  // namespace

IdentityHeaderNames IdentityHeaderNames::Of(const Config& config) {
  IdentityHeaderNames own;
  for (const auto* const list :
       {&config.requestheader_username_headers, &config.requestheader_uid_headers,
        &config.requestheader_group_headers}) {
    for (const std::string& name : *list) own.names.push_back(FoldedHeaderName(name));
  }
  for (const std::string& prefix : config.requestheader_extra_headers_prefix)
    own.prefixes.push_back(FoldedHeaderName(prefix));
  return own;
}

std::string RefusedHeaders(const http::HeaderList& headers, const IdentityHeaderNames& own) {
  if (headers.Count("Authorization") > 1) return "more than one Authorization header";
  for (const http::Header& line : headers.lines()) {
    if (line.name.find('_') != std::string::npos && IsIdentity(FoldedHeaderName(line.name), own)) {
      return "identity header with an underscore";
    }
    // Only HTTP/2 can say so, and upstream is spoken to in HTTP/1.1.
    if (HasBlankEnds(line.value) && FoldedHeaderName(line.name).starts_with("impersonate-"))
      return "impersonation header with blanks around its value";
  }
  if (AnyConnectionOption(headers,
                          [&](const std::string& option) { return IsIdentity(option, own); })) {
    return "Connection lists an identity header";
  }
  return "";
}

bool NamesSomebody(std::string_view name, const IdentityHeaderNames& own) {
  const std::string folded = FoldedHeaderName(name);
  return folded.starts_with("impersonate-") || NamesUser(folded, own);
}

http::HeaderList CredentialLines(const http::HeaderList& headers, const IdentityHeaderNames& own) {
  if (headers.Has("Upgrade")) return headers;
  http::HeaderList kept;
  for (const http::Header& line : headers.lines()) {
    if (http::EqualsIgnoreCase(line.name, "Authorization") || NamesSomebody(line.name, own))
      kept.Add(line.name, line.value);
  }
  return kept;
}

bool HasImpersonation(const http::HeaderList& headers) {
  return std::any_of(headers.lines().begin(), headers.lines().end(), [](const http::Header& line) {
    return FoldedHeaderName(line.name).starts_with("impersonate-");
  });
}

bool IsStrippedFromRequests(const http::HeaderList& headers, std::string_view name,
                            const IdentityHeaderNames& own) {
  const std::string folded = FoldedHeaderName(name);
  if (IsHopByHop(folded) || folded == "trailer" || folded == "expect" || folded == "host")
    return true;
  if (folded == "content-length" || folded == "forwarded" || folded == "x-real-ip") return true;
  if (NamesUser(folded, own) || folded.starts_with("x-forwarded-") || folded.starts_with("proxy-"))
    return true;
  return AnyConnectionOption(headers, [&](const std::string& option) { return option == folded; });
}

bool IsStrippedFromResponses(const http::HeaderList& headers, std::string_view name) {
  const std::string folded = FoldedHeaderName(name);
  return IsHopByHop(folded) ||
         AnyConnectionOption(headers, [&](const std::string& option) { return option == folded; });
}

bool AgreesToUpgrade(const http::HeaderList& headers, std::string_view protocol) {
  if (headers.Count("Upgrade") != 1) return false;
  if (!http::EqualsIgnoreCase(*headers.First("Upgrade"), protocol)) return false;
  return AnyConnectionOption(headers,
                             [](const std::string& option) { return option == "upgrade"; });
}

std::optional<std::string_view> RequestedUpgrade(const http::RequestHead& request) {
  if (request.minor_version == 0) return std::nullopt;  // RFC 9110 §7.8.
  for (const std::string_view protocol : {"websocket", "SPDY/3.1"}) {
    if (AgreesToUpgrade(request.headers, protocol)) return protocol;
  }
  return std::nullopt;
}

}  // namespace weir
