// What the admin port's /metrics says of the process: the counters of metrics.h, the feeds, memory
// and CPU.
#pragma once

#include <span>

#include "cache/registry.h"
#include "proxy/admin/metrics.h"
#include "proxy/admin/metrics_writer.h"

namespace weir {

// Counters, with Weir's names (auth-and-forwarding F.2: kube-apiserver's families with `weir_`).
// Series that are zero are left out where a family has many.
void WriteCounters(const Metrics& metrics, MetricsWriter& writer);

// One series per feed and family; labels group, version, resource.
void WriteFeeds(std::span<const FeedStatus> feeds, MetricsWriter& writer);

// weir_build_info, and Prometheus' standard process_* families, from /proc.
void WriteProcess(MetricsWriter& writer);

}  // namespace weir
