#include "proxy/auth/bearer_token.h"

#include <simdjson.h>

#include <algorithm>

#include "proxy/config/base64.h"

namespace weir {
namespace {

constexpr std::string_view kWebSocketPrefix = "base64url.bearer.authorization.k8s.io.";

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Upstream reads a TokenReview's token as the rest of a header: a space in it would name another
// token.
bool IsSendable(std::string_view token) {
  return std::all_of(token.begin(), token.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

BearerToken Checked(std::string_view token) {
  if (token.empty()) return {};
  if (!IsSendable(token)) return {.kind = BearerToken::Kind::kInvalid, .token = {}};
  return {.kind = BearerToken::Kind::kToken, .token = std::string(token)};
}

bool HasListItem(const http::HeaderList& headers, std::string_view name, std::string_view item) {
  for (const http::Header& line : headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, name)) continue;
    std::string_view rest = line.value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      if (http::EqualsIgnoreCase(Trim(rest.substr(0, comma)), item)) return true;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return false;
}

}  // namespace

BearerToken ParseAuthorization(std::string_view value) {
  value = Trim(value);
  const size_t space = value.find(' ');
  if (space == std::string_view::npos) return {};
  if (!http::EqualsIgnoreCase(value.substr(0, space), "bearer")) return {};
  value.remove_prefix(space + 1);
  return Checked(value.substr(0, value.find(' ')));
}

BearerToken ParseWebSocketToken(const http::HeaderList& headers) {
  if (!HasListItem(headers, "Connection", "upgrade") ||
      !HasListItem(headers, "Upgrade", "websocket"))
    return {};
  BearerToken found;
  bool other_protocol = false;
  for (const http::Header& line : headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view rest = line.value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view entry = Trim(rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
      if (!entry.starts_with(kWebSocketPrefix)) {
        other_protocol = other_protocol || !entry.empty();
        continue;
      }
      const auto token = DecodeBase64Url(entry.substr(kWebSocketPrefix.size()));
      const bool second = found.kind != BearerToken::Kind::kNone;
      if (second || !token.has_value() || token->empty())
        return {.kind = BearerToken::Kind::kInvalid, .token = {}};
      found = Checked(*token);
    }
  }
  if (found.kind == BearerToken::Kind::kToken && !other_protocol) {
    return {.kind = BearerToken::Kind::kInvalid, .token = {}};
  }
  return found;
}

std::string WithoutTokens(std::string_view protocols) {
  std::string kept;
  while (!protocols.empty()) {
    const size_t comma = protocols.find(',');
    const std::string_view entry = Trim(protocols.substr(0, comma));
    protocols.remove_prefix(comma == std::string_view::npos ? protocols.size() : comma + 1);
    if (entry.empty() || entry.starts_with(kWebSocketPrefix)) continue;
    if (!kept.empty()) kept += ", ";
    kept += entry;
  }
  return kept;
}

std::optional<std::chrono::system_clock::time_point> TokenExpiry(std::string_view token) {
  const size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  const auto claims = DecodeBase64Url(token.substr(first + 1, second - first - 1));
  if (!claims.has_value() || claims->empty()) return std::nullopt;

  simdjson::dom::parser parser(size_t{1} << 20);
  if (parser.allocate(claims->size(), 64) != simdjson::SUCCESS) return std::nullopt;
  simdjson::dom::element root;
  if (parser.parse(simdjson::padded_string(*claims)).get(root) != simdjson::SUCCESS)
    return std::nullopt;
  double seconds = 0;
  if (root["exp"].get_double().get(seconds) != simdjson::SUCCESS) return std::nullopt;
  constexpr double kFarthest = 9e9;  // The year 2255: a time_point does not hold much more.
  if (seconds > kFarthest) return std::nullopt;
  if (!(seconds >= 0)) seconds = 0;
  return std::chrono::system_clock::time_point(std::chrono::seconds(static_cast<int64_t>(seconds)));
}

}  // namespace weir
