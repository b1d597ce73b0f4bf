#include "proxy/auth/request_headers.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>

namespace weir {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string FirstValue(const std::vector<std::string>& names, const http::HeaderList& headers) {
  for (const std::string& name : names) {
    const std::string* const value = headers.First(name);
    if (value != nullptr && !value->empty()) return *value;
  }
  return {};
}

bool HasPrefix(std::string_view name, std::string_view prefix) {
  return name.size() >= prefix.size() &&
         http::EqualsIgnoreCase(name.substr(0, prefix.size()), prefix);
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// As url.PathUnescape does, of what is in lower case already; what it refuses stays as it is.
std::string Unescaped(std::string_view key) {
  std::string out;
  for (size_t i = 0; i < key.size(); ++i) {
    if (key[i] != '%') {
      out += key[i];
      continue;
    }
    if (i + 2 >= key.size()) return std::string(key);
    const int high = HexValue(key[i + 1]), low = HexValue(key[i + 2]);
    if (high < 0 || low < 0) return std::string(key);
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

}  // namespace

std::optional<Identity> IdentityOfHeaders(const RequestHeaderNames& names,
                                          const http::HeaderList& headers) {
  Identity identity;
  identity.method = Identity::Method::kFrontProxy;
  identity.name = FirstValue(names.username, headers);
  if (identity.name.empty()) return std::nullopt;
  identity.uid = FirstValue(names.uid, headers);
  for (const std::string& name : names.group) {
    for (const http::Header& line : headers.lines()) {
      if (!line.value.empty() && http::EqualsIgnoreCase(line.name, name))
        identity.groups.push_back(line.value);
    }
  }
  for (const std::string& prefix : names.extra_prefix) {
    for (const http::Header& line : headers.lines()) {
      if (!HasPrefix(line.name, prefix)) continue;
      std::string key = line.name.substr(prefix.size());
      std::transform(key.begin(), key.end(), key.begin(), Lower);
      identity.extra[Unescaped(key)].push_back(line.value);
    }
  }
  return identity;
}

bool IsText(const Identity& identity) {
  const auto is_text = [](const std::string& s) {
    return simdjson::validate_utf8(s.data(), s.size());
  };
  if (!is_text(identity.name) || !is_text(identity.uid)) return false;
  if (!std::all_of(identity.groups.begin(), identity.groups.end(), is_text)) return false;
  return std::all_of(identity.extra.begin(), identity.extra.end(), [&](const auto& each) {
    return is_text(each.first) && std::all_of(each.second.begin(), each.second.end(), is_text);
  });
}

}  // namespace weir
