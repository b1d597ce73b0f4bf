#include "protocol/k8s/query.h"

#include <algorithm>

namespace weir {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    }
  }
  return out;
}

std::optional<QuerySetting> ParseSetting(std::string_view text) {
  if (text.find(';') != std::string_view::npos) return std::nullopt;
  const size_t equal = std::min(text.find('='), text.size());
  auto name = Unescape(text.substr(0, equal));
  auto value = Unescape(text.substr(std::min(equal + 1, text.size())));
  if (!name || !value) return std::nullopt;
  return QuerySetting{std::move(*name), std::move(*value)};
}

// Takes the next setting off the query.
std::string_view TakeSetting(std::string_view& query) {
  const size_t end = std::min(query.find('&'), query.size());
  const std::string_view setting = query.substr(0, end);
  query.remove_prefix(std::min(end + 1, query.size()));
  return setting;
}

}  // namespace

std::optional<std::vector<QuerySetting>> ParseQueryStrictly(std::string_view query) {
  const bool plain = std::all_of(query.begin(), query.end(),
                                 [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  if (!plain) return std::nullopt;
  std::vector<QuerySetting> settings;
  while (!query.empty()) {
    const std::string_view text = TakeSetting(query);
    if (text.empty()) continue;
    auto setting = ParseSetting(text);
    if (!setting) return std::nullopt;
    settings.push_back(std::move(*setting));
  }
  return settings;
}

std::optional<std::string> FirstQueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view text = TakeSetting(query);
    auto setting = ParseSetting(text);
    if (!text.empty() && setting && setting->name == name) return std::move(setting->value);
  }
  return std::nullopt;
}

}  // namespace weir
