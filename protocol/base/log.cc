#include "protocol/base/log.h"

#include <fmt/format.h>
#include <unistd.h>
#include <atomic>

#include <cerrno>
#include <chrono>
#include <ctime>
#include <iterator>
#include <mutex>

#include "protocol/base/json_text.h"

namespace weir {
namespace {

constexpr int kDebugVerbosity = 4;

// Written by ConfigureLog() before other threads run, read ever after.
LogFormat log_format = LogFormat::kText;
std::atomic<int> log_verbosity = 0;

std::mutex& StderrMutex() {
  static auto* mutex = new std::mutex;  // Never destroyed: exit handlers may still log.
  return *mutex;
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

char LevelLetter(LogLevel level) {
  switch (level) {
    case LogLevel::kWarning:
      return 'W';
    case LogLevel::kError:
      return 'E';
    default:
      return 'I';
  }
}

// As Go's %q for what can occur: one line, printable, unambiguous.
void AppendQuoted(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  out += '"';
}

using Micros = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

std::string TextLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields, const std::source_location& where,
                     Micros now) {
  const int64_t since_epoch = now.time_since_epoch().count();
  const auto seconds = static_cast<std::time_t>(since_epoch / 1'000'000);
  std::tm local{};
  localtime_r(&seconds, &local);
  std::string line =
      fmt::format("{}{:02}{:02} {:02}:{:02}:{:02}.{:06} {:7} {}:{}] ", LevelLetter(level),
                  local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
                  since_epoch % 1'000'000, getpid(), BaseName(where.file_name()), where.line());
  AppendQuoted(message, line);
  for (const LogField& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    if (field.quoted) {
      AppendQuoted(field.value, line);
    } else {
      line += field.value;
    }
  }
  line += '\n';
  return line;
}

std::string JsonLine(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields, const std::source_location& where,
                     Micros now) {
  const int64_t since_epoch = now.time_since_epoch().count();
  std::string line =
      fmt::format(R"({{"ts":{}.{:03},"caller":)", since_epoch / 1000, since_epoch % 1000);
  AppendJsonString(fmt::format("{}:{}", BaseName(where.file_name()), where.line()), line);
  line += R"(,"msg":)";
  AppendJsonString(message, line);
  // As component-base: errors have no verbosity, that is how they are told from the rest.
  if (level != LogLevel::kError) {
    line += level == LogLevel::kDebug ? R"(,"v":4)" : R"(,"v":0)";
  }
  for (const LogField& field : fields) {
    line += ',';
    AppendJsonString(field.key, line);
    line += ':';
    if (field.quoted) {
      AppendJsonString(field.value, line);
    } else {
      line += field.value;
    }
  }
  line += "}\n";
  return line;
}

void WriteLine(std::string_view line) {
  const std::lock_guard lock(StderrMutex());
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return;  // Nobody reads the log; that must not stop the proxy.
    }
    line.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace

void ConfigureLog(LogFormat format, int verbosity) {
  log_format = format;
  log_verbosity = verbosity;
}

bool LogEnabled(LogLevel level) {
  if (level == LogLevel::kDebug) return LogVerbosity() >= kDebugVerbosity;
  return level == LogLevel::kError || LogVerbosity() >= 0;
}

int LogVerbosity() { return log_verbosity.load(std::memory_order_relaxed); }

void SetLogVerbosity(int verbosity) { log_verbosity = verbosity; }

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields,
         std::source_location where) {
  if (!LogEnabled(level)) return;
  const auto now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  WriteLine(log_format == LogFormat::kJson ? JsonLine(level, message, fields, where, now)
                                           : TextLine(level, message, fields, where, now));
}

}  // namespace weir
