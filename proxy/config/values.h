// Values of options as text: durations, quantities, numbers, addresses. All total: any text gives a
// value or a reason.
//
// Errors are InvalidArgument with what is wanted ("want a number from 1 to 65535"); the caller adds
// the option's name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/executor.h"
#include "protocol/base/status.h"

namespace weir {

// As Go's time.ParseDuration, without signs: "10s", "1h30m", "0.5s", "0". At most 10 years.
StatusOr<Duration> ParseDuration(std::string_view text);
std::string FormatDuration(Duration duration);  // "1h30m", "250ms", "0s".

// A Kubernetes quantity of bytes: "4Gi", "1500M", "1.5Gi", "1048576".
StatusOr<uint64_t> ParseByteQuantity(std::string_view text);
std::string FormatByteQuantity(uint64_t bytes);  // In the largest binary unit that divides it.

StatusOr<uint64_t> ParseUnsigned(std::string_view text, uint64_t min, uint64_t max);
StatusOr<bool> ParseBool(std::string_view text);  // "true" or "false".

struct HostPort {
  std::string host;  // Without brackets.
  uint16_t port = 0;
};
// "127.0.0.1:8081", "[::1]:8081", "localhost:8081".
StatusOr<HostPort> ParseHostPort(std::string_view text);

bool IsIpAddress(const std::string& text);
// 127.0.0.0/8, ::1, "localhost".
bool IsLoopback(const std::string& host);

// Splits at commas, drops empty pieces and spaces around them.
std::vector<std::string> SplitList(std::string_view text);

}  // namespace weir
