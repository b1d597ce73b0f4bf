#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proxy/config/kubeconfig.h"
#include "proxy/config/values.h"

namespace weir {
namespace {

constexpr std::string_view kWant = "want https://host[:port]";

bool IsHostByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

// Bytes that need no escape in a path and mean nothing but themselves.
bool IsPrefixByte(char c) { return IsHostByte(c) || c == '/' || c == ':' || c == '~'; }

// `authority` is "host", "host:port", "[v6]" or "[v6]:port".
Status ParseAuthority(std::string_view authority, ServerUrl& url) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return InvalidArgument(kWant);
    url.host = authority.substr(1, end - 1);
    if (!IsIpAddress(url.host) || url.host.find(':') == std::string::npos)
      return InvalidArgument(kWant);
    authority.remove_prefix(end + 1);
    if (authority.empty()) return OkStatus();
    if (authority.front() != ':') return InvalidArgument(kWant);
    port = authority.substr(1);
  } else {
    const size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (url.host.empty() || !std::all_of(url.host.begin(), url.host.end(), IsHostByte)) {
      return InvalidArgument(kWant);
    }
    if (colon == std::string_view::npos) return OkStatus();
    port = authority.substr(colon + 1);
  }
  const StatusOr<uint64_t> number = ParseUnsigned(port, 1, std::numeric_limits<uint16_t>::max());
  if (!number.ok()) return InvalidArgument(kWant);
  url.port = static_cast<uint16_t>(*number);
  return OkStatus();
}

}  // namespace

StatusOr<ServerUrl> ParseServerUrl(std::string_view url) {
  constexpr std::string_view kHttps = "https://";
  constexpr std::string_view kHttp = "http://";
  if (url.starts_with(kHttp)) {
    return InvalidArgument("plain HTTP to the API server is not supported; want https://");
  }
  if (!url.starts_with(kHttps)) return InvalidArgument(kWant);
  url.remove_prefix(kHttps.size());
  const size_t slash = url.find('/');
  ServerUrl out;
  WEIR_TRY(ParseAuthority(url.substr(0, slash), out));
  if (slash == std::string_view::npos) return out;
  std::string_view prefix = url.substr(slash);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (!std::all_of(prefix.begin(), prefix.end(), IsPrefixByte)) return InvalidArgument(kWant);
  out.prefix = prefix;
  return out;
}

}  // namespace weir
