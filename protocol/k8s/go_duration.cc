#include "protocol/k8s/go_duration.h"

#include <array>
#include <cstdint>
#include <limits>

namespace weir {
namespace {

struct Unit {
  std::string_view name;
  uint64_t nanoseconds;
};
constexpr std::array kUnits = {
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", 1'000'000'000},
    Unit{"m", 60'000'000'000},
    Unit{"h", 3'600'000'000'000},
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes digits off the front. False: the number is too large.
bool TakeDigits(std::string_view& text, uint64_t& value, size_t& count) {
  for (count = 0; !text.empty() && IsDigit(text.front()); ++count, text.remove_prefix(1)) {
    const auto digit = static_cast<uint64_t>(text.front() - '0');
    if (value > (uint64_t{1} << 63) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

// Takes the digits behind a point off the front: their value as a share of one. Digits beyond what
// matters to a nanosecond of an hour change nothing.
double TakeFraction(std::string_view& text, size_t& count) {
  double fraction = 0;
  double scale = 1;
  for (count = 0; !text.empty() && IsDigit(text.front()); ++count, text.remove_prefix(1)) {
    scale /= 10;
    fraction += scale * (text.front() - '0');
  }
  return fraction;
}

const Unit* TakeUnit(std::string_view& text) {
  size_t size = 0;
  while (size < text.size() && text[size] != '.' && !IsDigit(text[size])) ++size;
  const std::string_view name = text.substr(0, size);
  text.remove_prefix(size);
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// Takes one "1.5h" off the front and adds it to `total`.
bool TakeTerm(std::string_view& text, uint64_t& total) {
  constexpr uint64_t kLimit = uint64_t{1} << 63;
  uint64_t whole = 0;
  size_t whole_digits = 0;
  if (!TakeDigits(text, whole, whole_digits)) return false;
  double fraction = 0;
  size_t fraction_digits = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    fraction = TakeFraction(text, fraction_digits);
  }
  if (whole_digits + fraction_digits == 0) return false;
  const Unit* unit = TakeUnit(text);
  if (unit == nullptr || whole > kLimit / unit->nanoseconds) return false;
  total += whole * unit->nanoseconds;
  total += static_cast<uint64_t>(fraction * static_cast<double>(unit->nanoseconds));
  return total <= kLimit;
}

}  // namespace

std::optional<std::chrono::nanoseconds> ParseGoDuration(std::string_view text) {
  constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;

  uint64_t total = 0;
  while (!text.empty()) {
    if (!TakeTerm(text, total)) return std::nullopt;
  }
  if (total > kMax) return std::nullopt;
  const auto value = static_cast<int64_t>(total);
  return std::chrono::nanoseconds(negative ? -value : value);
}

}  // namespace weir
