// IsYamlString() of yaml_text.h: what plain scalars mean in YAML 1.1, as yaml.v2 has it.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "protocol/base/yaml_text.h"

namespace weir {
namespace {

constexpr std::array<std::string_view, 38> kWords = {
    "y",    "Y",    "yes",   "Yes",   "YES",   "true",  "True",  "TRUE",  "on",    "On",
    "ON",   "n",    "N",     "no",    "No",    "NO",    "false", "False", "FALSE", "off",
    "Off",  "OFF",  "~",     "null",  "Null",  "NULL",  ".nan",  ".NaN",  ".NAN",  ".inf",
    ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes digits off the front; how many.
size_t TakeDigits(std::string_view& text) {
  const auto* end = std::find_if_not(text.begin(), text.end(), IsDigit);
  const auto count = static_cast<size_t>(end - text.begin());
  text.remove_prefix(count);
  return count;
}

bool TakeSign(std::string_view& text) {
  if (!text.starts_with('+') && !text.starts_with('-')) return false;
  text.remove_prefix(1);
  return true;
}

// strconv.ParseInt or ParseUint with base 0: the prefix chooses.
bool IsGoInteger(std::string_view text) {
  const bool negative = text.starts_with('-');
  const bool is_signed = TakeSign(text);
  int base = 10;
  if (text.size() > 1 && text.front() == '0') {
    const char prefix = static_cast<char>(text[1] | 0x20);
    base = prefix == 'x' ? 16 : prefix == 'b' ? 2 : 8;
    text.remove_prefix(prefix == 'x' || prefix == 'b' || prefix == 'o' ? 2 : 1);
  }
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || rest != end) return false;
  return !is_signed || number < (uint64_t{1} << 63) + (negative ? 1 : 0);
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? and not too large for 64 bits.
bool IsFloat(std::string_view text) {
  const std::string whole(text);
  TakeSign(text);
  const size_t before = TakeDigits(text);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (TakeDigits(text) == 0 && before == 0) return false;
  } else if (before == 0) {
    return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    TakeSign(text);
    if (TakeDigits(text) == 0) return false;
  }
  return text.empty() && std::isfinite(std::strtod(whole.c_str(), nullptr));
}

// [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
bool IsBase60(std::string_view text) {
  const auto take = [&text](std::string_view set) {
    text.remove_prefix(std::min(text.find_first_not_of(set), text.size()));
  };
  TakeSign(text);
  if (text.empty() || !IsDigit(text.front())) return false;
  take("0123456789_");
  if (!text.starts_with(':')) return false;
  while (text.starts_with(':')) {
    text.remove_prefix(1);
    const char first = text.empty() ? '\0' : text.front();
    const size_t digits = TakeDigits(text);
    if (digits == 0 || digits > 2 || (digits == 2 && first > '5')) return false;
  }
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    take("0123456789_");
  }
  return text.empty();
}

// One or two digits in [low, high]; -1 where there are none.
int TakeNumber(std::string_view& text, int low, int high) {
  std::string_view rest = text.substr(0, 2);
  const size_t digits = TakeDigits(rest);
  int number = -1;
  std::from_chars(text.data(), text.data() + digits, number);
  text.remove_prefix(digits);
  return number >= low && number <= high ? number : -1;
}

bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

int DaysIn(int year, int month) {
  constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[static_cast<size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

// "Z" or "+07:00".
bool TakeZone(std::string_view& text) {
  if (Take(text, 'Z')) return true;
  return TakeSign(text) && text.size() >= 5 && IsDigit(text[1]) && IsDigit(text[4]) &&
         TakeNumber(text, 0, 24) >= 0 && Take(text, ':') && TakeNumber(text, 0, 60) >= 0;
}

// YYYY-M-D, alone or with a time of day behind T, t (which need a zone) or a space (which has
// none).
bool IsTime(std::string_view text) {
  int year = 0;
  std::from_chars(text.data(), text.data() + text.size(), year);
  if (TakeDigits(text) != 4 || !Take(text, '-')) return false;
  const int month = TakeNumber(text, 1, 12);
  if (month < 0 || !Take(text, '-') || TakeNumber(text, 1, DaysIn(year, month)) < 0) return false;
  if (text.empty()) return true;
  const bool zoned = Take(text, 'T') || Take(text, 't');
  if (!zoned && !Take(text, ' ')) return false;
  if (TakeNumber(text, 0, 23) < 0 || !Take(text, ':') || TakeNumber(text, 0, 59) < 0 ||
      !Take(text, ':') || TakeNumber(text, 0, 59) < 0) {
    return false;
  }
  if (text.size() > 1 && (text[0] == '.' || text[0] == ',') && IsDigit(text[1])) {
    text.remove_prefix(1);
    TakeDigits(text);
  }
  return (!zoned || TakeZone(text)) && text.empty();
}

}  // namespace

bool IsYamlString(std::string_view text) {
  if (text.empty()) return false;
  if (std::find(kWords.begin(), kWords.end(), text) != kWords.end()) return false;
  const char first = text.front();
  if (first == '.') return !IsFloat(text);
  if (!IsDigit(first) && first != '+' && first != '-') return true;
  if (IsTime(text) || IsBase60(text)) return false;
  std::string digits(text);
  std::erase(digits, '_');
  return !IsGoInteger(digits) && !IsFloat(digits);
}

}  // namespace weir
