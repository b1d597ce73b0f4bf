#include "proxy/config/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace weir {
namespace {

constexpr std::string_view kWantDuration = "want a duration such as 10s, 5m or 1h30m";
constexpr std::string_view kWantQuantity = "want a size such as 512Mi, 4Gi or 4000000000";
constexpr double kMaxSeconds = 10.0 * 365 * 24 * 3600;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// The digits, with at most one point, that `text` begins with; "" for none.
std::string_view LeadingDecimal(std::string_view text) {
  size_t end = 0;
  bool point = false;
  bool digit = false;
  for (; end < text.size(); ++end) {
    if (text[end] == '.' && !point) {
      point = true;
    } else if (IsDigit(text[end])) {
      digit = true;
    } else {
      break;
    }
  }
  return digit ? text.substr(0, end) : std::string_view();
}

// `text` is a LeadingDecimal(): no sign, no exponent.
double ToDouble(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  return value;
}

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array<Unit, 7> kTimeUnits = {
    {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
constexpr std::array<Unit, 11> kByteUnits = {{{"", 1},
                                              {"k", 1e3},
                                              {"M", 1e6},
                                              {"G", 1e9},
                                              {"T", 1e12},
                                              {"P", 1e15},
                                              {"Ki", 1024.0},
                                              {"Mi", 1048576.0},
                                              {"Gi", 1073741824.0},
                                              {"Ti", 1099511627776.0},
                                              {"Pi", 1125899906842624.0}}};

template <size_t kSize>
const Unit* FindUnit(const std::array<Unit, kSize>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

}  // namespace

StatusOr<Duration> ParseDuration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return InvalidArgument(kWantDuration);
  double nanoseconds = 0;
  while (!text.empty()) {
    const std::string_view number = LeadingDecimal(text);
    text.remove_prefix(number.size());
    size_t length = 0;
    while (length < text.size() && !IsDigit(text[length]) && text[length] != '.') ++length;
    const Unit* const unit = FindUnit(kTimeUnits, text.substr(0, length));
    if (number.empty() || unit == nullptr) return InvalidArgument(kWantDuration);
    text.remove_prefix(length);
    nanoseconds += ToDouble(number) * unit->factor;
  }
  if (!(nanoseconds <= kMaxSeconds * 1e9)) return InvalidArgument("want at most 10 years");
  return Duration(std::llround(nanoseconds));
}

std::string FormatDuration(Duration duration) {
  const int64_t ns = duration.count();
  if (ns % 1'000'000 != 0) return fmt::format("{}ns", ns);
  if (ns % 1'000'000'000 != 0) return fmt::format("{}ms", ns / 1'000'000);
  int64_t seconds = ns / 1'000'000'000;
  std::string out;
  if (seconds >= 3600) out += fmt::format("{}h", seconds / 3600);
  seconds %= 3600;
  if (seconds >= 60) out += fmt::format("{}m", seconds / 60);
  seconds %= 60;
  if (seconds > 0 || out.empty()) out += fmt::format("{}s", seconds);
  return out;
}

StatusOr<uint64_t> ParseByteQuantity(std::string_view text) {
  const std::string_view number = LeadingDecimal(text);
  const Unit* const unit = FindUnit(kByteUnits, text.substr(number.size()));
  if (number.empty() || unit == nullptr) return InvalidArgument(kWantQuantity);
  const double bytes = ToDouble(number) * unit->factor;
  if (!(bytes < 9e18)) return InvalidArgument(kWantQuantity);
  return static_cast<uint64_t>(std::llround(bytes));
}

std::string FormatByteQuantity(uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> kNames = {"", "Ki", "Mi", "Gi", "Ti", "Pi"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kNames[unit]);
}

StatusOr<uint64_t> ParseUnsigned(std::string_view text, uint64_t min, uint64_t max) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) {
    return InvalidArgument(fmt::format("want a number from {} to {}", min, max));
  }
  return value;
}

StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return InvalidArgument("want true or false");
}

StatusOr<HostPort> ParseHostPort(std::string_view text) {
  constexpr std::string_view kWant = "want host:port, such as 127.0.0.1:8081 or [::1]:8081";
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return InvalidArgument(kWant);
  const StatusOr<uint64_t> port =
      ParseUnsigned(text.substr(colon + 1), 1, std::numeric_limits<uint16_t>::max());
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool six = host.find(':') != std::string_view::npos;
  if (!port.ok() || host.empty() || six != bracketed) return InvalidArgument(kWant);
  return HostPort{.host = std::string(host), .port = static_cast<uint16_t>(*port)};
}

bool IsIpAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool IsLoopback(const std::string& host) {
  if (host == "localhost" || host == "::1") return true;
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

std::vector<std::string> SplitList(std::string_view text) {
  std::vector<std::string> out;
  while (true) {
    const size_t comma = text.find(',');
    std::string_view piece = text.substr(0, comma);
    while (!piece.empty() && piece.front() == ' ') piece.remove_prefix(1);
    while (!piece.empty() && piece.back() == ' ') piece.remove_suffix(1);
    if (!piece.empty()) out.emplace_back(piece);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace weir
