#include "proxy/admin/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

std::vector<HealthCheck> Checks(Status second, bool required = true) {
  return {{"ping", OkStatus()}, {"shutdown", std::move(second), required}};
}

TEST(HealthTest, IsOkInOneWord) {
  const HealthReport report = ReportHealth("livez", Checks(OkStatus()), false, {});
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.body, "ok");
}

TEST(HealthTest, ListsItsChecksWhenAsked) {
  EXPECT_EQ(ReportHealth("readyz", Checks(OkStatus()), true, {}).body,
            "[+]ping ok\n[+]shutdown ok\nreadyz check passed\n");
}

TEST(HealthTest, SaysWhatFailsAndWhyWithoutBeingAsked) {
  const HealthReport report =
      ReportHealth("readyz", Checks(Unavailable("stopping\nnow")), false, {});
  EXPECT_FALSE(report.healthy);
  EXPECT_EQ(report.body, "[+]ping ok\n[-]shutdown failed: stopping now\nreadyz check failed\n");
}

TEST(HealthTest, ACheckThatIsNotRequiredIsOnlyShown) {
  const HealthReport report = ReportHealth("readyz", Checks(Unavailable("x"), false), true, {});
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.body, "[+]ping ok\n[-]shutdown failed (not required): x\nreadyz check passed\n");
}

TEST(HealthTest, ExcludedChecksPassAndUnknownOnesAreNamed) {
  const HealthReport report =
      ReportHealth("readyz", Checks(Unavailable("x")), true, {"shutdown", "a", "b"});
  EXPECT_TRUE(report.healthy);
  EXPECT_EQ(report.body,
            "[+]ping ok\n[+]shutdown excluded: ok\nwarn: some health checks cannot be excluded: no "
            "matches for "
            "\"a\",\"b\"\nreadyz check passed\n");
}

TEST(FeedChecksTest, TellWhyAFeedIsNotSynced) {
  FeedStatus synced;
  synced.id = {.group = "", .version = "v1", .resource = "pods"};
  synced.state = CacheState::kSynced;
  FeedStatus broken = synced;
  broken.id.resource = "nodes";
  broken.state = CacheState::kBroken;
  broken.reason = "connection refused";
  FeedStatus refused = synced;
  refused.id.resource = "events";
  refused.state = CacheState::kRefused;
  refused.reason = "LIST: upstream answered 403";
  const std::vector<FeedStatus> feeds = {synced, broken, refused};
  const std::vector<HealthCheck> checks = FeedChecks(feeds);
  EXPECT_EQ(
      ReportHealth("readyz", checks, true, {}).body,
      "[+]cache-sync/v1/pods ok\n[-]cache-sync/v1/nodes failed (not required): connection refused\n"
      "[-]cache-sync/v1/events failed (not required): LIST: upstream answered 403\n"
      "readyz check passed\n");
}

}  // namespace
}  // namespace weir
