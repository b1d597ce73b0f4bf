// Prometheus' text format, version 0.0.4.
//
//   writer.Family("weir_connections", MetricType::kGauge, "Client connections.");
//   writer.Sample({}, 12);
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/admin/metrics.h"

namespace weir {

enum class MetricType : uint8_t { kCounter, kGauge, kHistogram };

class MetricsWriter {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // Appends to `out`, which outlives it.
  explicit MetricsWriter(std::string& out) : out_(out) {}

  // Begins a family; all its samples follow at once. Names are [a-z_][a-z0-9_]*.
  void Family(std::string_view name, MetricType type, std::string_view help);
  // Label values are any UTF-8.
  void Sample(Labels labels, uint64_t value);
  void Sample(Labels labels, int64_t value);
  void Sample(Labels labels, double value);
  // Nothing for a histogram without observations.
  void Histogram(Labels labels, const DurationHistogram& histogram);

 private:
  void Name(std::string_view suffix, Labels labels, std::string_view bound = {});

  std::string& out_;
  std::string name_;
};

}  // namespace weir
