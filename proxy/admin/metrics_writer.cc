#include "proxy/admin/metrics_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir {
namespace {

std::string_view ToString(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void AppendEscaped(std::string_view text, bool quotes, std::string& out) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) out += '\\';
    out += c;
  }
}

}  // namespace

void MetricsWriter::Family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  out_.append("# HELP ").append(name).append(" ");
  AppendEscaped(help, false, out_);
  out_.append("\n# TYPE ").append(name).append(" ").append(ToString(type)).append("\n");
}

void MetricsWriter::Name(std::string_view suffix, Labels labels, std::string_view bound) {
  out_.append(name_).append(suffix);
  char separator = '{';
  const auto label = [this, &separator](std::string_view key, std::string_view value) {
    out_ += std::exchange(separator, ',');
    out_.append(key).append("=\"");
    AppendEscaped(value, true, out_);
    out_ += '"';
  };
  for (const auto& [key, value] : labels) label(key, value);
  if (!bound.empty()) label("le", bound);
  if (separator == ',') out_ += '}';
  out_ += ' ';
}

void MetricsWriter::Sample(Labels labels, uint64_t value) {
  Name({}, labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", value);
}

void MetricsWriter::Sample(Labels labels, int64_t value) {
  Name({}, labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", value);
}

void MetricsWriter::Sample(Labels labels, double value) {
  Name({}, labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", value);
}

void MetricsWriter::Histogram(Labels labels, const DurationHistogram& histogram) {
  constexpr auto& kBounds = DurationHistogram::kBounds;
  uint64_t total = 0;
  for (size_t i = 0; i <= kBounds.size(); ++i) total += histogram.count(i);
  if (total == 0) return;
  // Cumulated from what was just read, so that the buckets agree with the count whatever comes
  // meanwhile.
  uint64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below = std::min(below + histogram.count(i), total);
    Name("_bucket", labels, fmt::format("{}", kBounds[i]));
    fmt::format_to(std::back_inserter(out_), "{}\n", below);
  }
  Name("_bucket", labels, "+Inf");
  fmt::format_to(std::back_inserter(out_), "{}\n", total);
  Name("_sum", labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", histogram.sum());
  Name("_count", labels);
  fmt::format_to(std::back_inserter(out_), "{}\n", total);
}

}  // namespace weir
