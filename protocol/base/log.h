// Log lines: one event a line, text in klog's form or JSON in component-base's, on stderr.
//
//   Log(LogLevel::kInfo, "Feed synced", {{"resource", id.ToString()}, {"objects", count}});
//
// Thread-safe. Never pass a token, a key, a header or an object's body: a line is for people and
// goes anywhere.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>

namespace weir {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogFormat : uint8_t { kText, kJson };

// A key and its value, already formatted; numbers are written without quotes.
struct LogField {
  template <std::integral Number>
  LogField(std::string_view k, Number number)
      : key(k), value(std::to_string(number)), quoted(false) {}
  LogField(std::string_view k, std::string_view text) : key(k), value(text), quoted(true) {}
  LogField(std::string_view k, const char* text) : key(k), value(text), quoted(true) {}
  LogField(std::string_view k, const std::string& text) : key(k), value(text), quoted(true) {}

  std::string_view key;
  std::string value;
  bool quoted;
};

// Set once at start, before other threads run. `verbosity` as klog's -v: kDebug lines appear from 4
// on, and below 0 only kError lines do.
void ConfigureLog(LogFormat format, int verbosity);
bool LogEnabled(LogLevel level);
int LogVerbosity();
// Thread-safe.
void SetLogVerbosity(int verbosity);

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {},
         std::source_location where = std::source_location::current());

}  // namespace weir
