#include "protocol/http/request_target.h"

#include <algorithm>

#include "protocol/http/message.h"

namespace weir::http {
namespace {

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Visible ASCII, and no '#': a fragment is no part of a target, yet Go makes it part of the path or
// query.
bool HasOnlyTargetBytes(std::string_view target) {
  return std::all_of(target.begin(), target.end(),
                     [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

bool HasValidEscapes(std::string_view path) {
  for (size_t i = path.find('%'); i != std::string_view::npos; i = path.find('%', i + 3)) {
    if (i + 2 >= path.size() || !IsHexDigit(path[i + 1]) || !IsHexDigit(path[i + 2])) return false;
  }
  return true;
}

// What follows "http://" or "https://", or nothing.
std::optional<std::string_view> AfterScheme(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (EqualsIgnoreCase(target.substr(0, scheme.size()), scheme)) {
      return target.substr(scheme.size());
    }
  }
  return {};
}

}  // namespace

bool IsValidHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return IsAlphanumeric(c) ||
           std::string_view("!$%&'()*+,-.:;=[]_~").find(c) != std::string_view::npos;
  });
}

std::optional<std::string> OriginForm(std::string_view method, std::string_view target,
                                      std::string_view host) {
  if (target.empty() || !HasOnlyTargetBytes(target)) return {};
  if (target == "*") return method == "OPTIONS" ? std::optional<std::string>("*") : std::nullopt;
  std::string origin;
  if (target.front() == '/') {
    origin = target;
  } else {
    const auto rest = AfterScheme(target);
    if (!rest) return {};
    const auto path = rest->find_first_of("/?");
    if (!EqualsIgnoreCase(rest->substr(0, path), host)) return {};
    // Without a path it would be "/" to one server, and "" (a 404) to Go's.
    if (path == std::string_view::npos || (*rest)[path] == '?') return {};
    origin = rest->substr(path);
  }
  if (!HasValidEscapes(std::string_view(origin).substr(0, origin.find('?')))) return {};
  return origin;
}

std::string WithoutEscapes(std::string_view path) {
  const auto value = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string plain;
  plain.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    const bool escape =
        path[i] == '%' && i + 2 < path.size() && IsHexDigit(path[i + 1]) && IsHexDigit(path[i + 2]);
    plain += escape ? static_cast<char>(value(path[i + 1]) * 16 + value(path[i + 2])) : path[i];
    if (escape) i += 2;
  }
  return plain;
}

bool HasDotSegments(std::string_view path) {
  std::string decoded = WithoutEscapes(path);
  std::replace(decoded.begin(), decoded.end(), '\\', '/');
  if (!decoded.starts_with('/')) return true;
  decoded += '/';
  return decoded.find("/./") != std::string::npos || decoded.find("/../") != std::string::npos;
}

}  // namespace weir::http
