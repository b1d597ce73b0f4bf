#include "proxy/admin/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <sstream>

#include "proxy/admin/metrics_writer.h"
#include "proxy/admin/process_metrics.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;

TEST(MetricsWriterTest, WritesFamiliesSamplesAndEscapes) {
  std::string out;
  MetricsWriter writer(out);
  writer.Family("weir_x", MetricType::kGauge, "Back\\slash\nand \"quotes\".");
  writer.Sample({}, int64_t{-1});
  writer.Sample({{"a", "q\"b\\s\nn"}, {"b", ""}}, uint64_t{7});
  EXPECT_EQ(out,
            "# HELP weir_x Back\\\\slash\\nand \"quotes\".\n# TYPE weir_x gauge\nweir_x -1\n"
            "weir_x{a=\"q\\\"b\\\\s\\nn\",b=\"\"} 7\n");
}

TEST(MetricsWriterTest, BucketsAreCumulative) {
  DurationHistogram histogram;
  histogram.Observe(5ms);  // Of the bucket whose bound it is.
  histogram.Observe(30ms);
  histogram.Observe(2min);
  std::string out;
  MetricsWriter writer(out);
  writer.Family("h", MetricType::kHistogram, "H.");
  writer.Histogram({{"v", "x"}}, histogram);
  EXPECT_THAT(out, HasSubstr("h_bucket{v=\"x\",le=\"0.005\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{v=\"x\",le=\"0.025\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{v=\"x\",le=\"0.05\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{v=\"x\",le=\"60\"} 2\n"));
  EXPECT_THAT(out, HasSubstr("h_bucket{v=\"x\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(out, HasSubstr("h_sum{v=\"x\"} 120.035\n"));
  EXPECT_THAT(out, HasSubstr("h_count{v=\"x\"} 3\n"));
}

TEST(MetricsTest, RequestsAreCountedByVerbSourceAndCode) {
  Metrics metrics;
  metrics.requests[VerbLabel::kList][SourceLabel::kCache][200].Add();
  metrics.requests[VerbLabel::kList][SourceLabel::kCache][200].Add(2);
  metrics.requests[VerbLabel::kPost][SourceLabel::kForward][418].Add();
  metrics.watch_events.Add(5);
  metrics.open_watches.Add(3);
  metrics.open_watches.Sub();
  metrics.forwarded[0].Add();
  std::string out;
  MetricsWriter writer(out);
  WriteCounters(metrics, writer);
  EXPECT_THAT(out,
              HasSubstr("weir_request_total{verb=\"LIST\",source=\"cache\",code=\"200\"} 3\n"));
  EXPECT_THAT(out,
              HasSubstr("weir_request_total{verb=\"POST\",source=\"forward\",code=\"other\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("weir_watch_events_total 5\n"));
  EXPECT_THAT(out, HasSubstr("weir_longrunning_watches 2\n"));
  EXPECT_THAT(out, Not(HasSubstr("code=\"404\"")));
}

TEST(MetricsTest, MethodsHaveTheirLabels) {
  EXPECT_EQ(VerbOfMethod("PATCH"), VerbLabel::kPatch);
  EXPECT_EQ(VerbOfMethod("BREW"), VerbLabel::kOther);
}

// Every line is of the format, no family begins twice, and every sample belongs to the family
// before it.
TEST(MetricsTest, ThePageIsWellFormed) {
  FeedStatus feed;
  feed.id = {.group = "apps", .version = "v1", .resource = "deployments"};
  feed.state = CacheState::kSynced;
  feed.revision = Revision{42};
  feed.objects = 3;
  std::string out;
  MetricsWriter writer(out);
  WriteCounters(ProcessMetrics(), writer);
  WriteFeeds(std::vector<FeedStatus>{feed}, writer);
  WriteProcess(writer);
  EXPECT_THAT(out, HasSubstr("weir_cache_objects{group=\"apps\",version=\"v1\",resource="
                             "\"deployments\",encoding=\"json\"} 3\n"));
  EXPECT_THAT(out, HasSubstr("resource=\"deployments\",encoding=\"json\",state=\"synced\"} 1\n"));
  EXPECT_THAT(out, HasSubstr("weir_watch_cache_resource_version{group=\"apps\",version=\"v1\","
                             "resource=\"deployments\",encoding=\"json\"} 42\n"));

  const std::regex sample(
      R"(^([a-z][a-z0-9_]*)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [-+0-9.e]+$)");
  std::set<std::string> families;
  std::string family;
  std::istringstream lines(out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << line;
    } else if (!line.starts_with("# TYPE ")) {
      std::smatch match;
      EXPECT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_TRUE(line.starts_with(family)) << line;
    }
  }
}

}  // namespace
}  // namespace weir
