#include "proxy/admin/admin_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::HasSubstr;

class AdminPagesTest : public ::testing::Test {
 protected:
  AdminResponse Ask(std::string target, std::string method = "GET") const {
    AdminSources sources;
    sources.livez = [] { return std::vector<HealthCheck>{{"ping", OkStatus()}}; };
    sources.readyz = [this] {
      return std::vector<HealthCheck>{{"ping", OkStatus()}, {"cache-sync/v1/pods", pods_}};
    };
    sources.metrics = [](MetricsWriter& writer) {
      writer.Family("weir_x", MetricType::kCounter, "X.");
      writer.Sample({}, uint64_t{1});
    };
    sources.rebalancez = [] { return std::string("{}"); };
    http::RequestHead head;
    head.method = std::move(method);
    head.target = std::move(target);
    return AnswerAdmin(head, sources);
  }

  Status pods_ = OkStatus();
};

TEST_F(AdminPagesTest, HealthIsOkOrFiveHundred) {
  EXPECT_EQ(Ask("/livez").body, "ok");
  EXPECT_EQ(Ask("/healthz").body, "ok");
  EXPECT_EQ(Ask("/readyz").status, 200);
  pods_ = Unavailable("listing");
  EXPECT_EQ(Ask("/readyz").status, 500);
  EXPECT_THAT(Ask("/readyz").body, HasSubstr("[-]cache-sync/v1/pods failed: listing"));
  EXPECT_EQ(Ask("/livez").status, 200);
}

TEST_F(AdminPagesTest, VerboseAndExcludeAreUnderstood) {
  EXPECT_EQ(Ask("/livez?verbose").body, "[+]ping ok\nlivez check passed\n");
  pods_ = Unavailable("listing");
  EXPECT_EQ(Ask("/readyz?exclude=cache-sync%2Fv1%2Fpods").status, 200);
  EXPECT_EQ(Ask("/readyz?a=b&exclude=cache-sync/v1/pods&verbose=1").body,
            "[+]ping ok\n[+]cache-sync/v1/pods excluded: ok\nreadyz check passed\n");
  EXPECT_EQ(Ask("/readyz?exclude=ping").status, 500);
}

TEST_F(AdminPagesTest, OneCheckHasItsOwnPath) {
  EXPECT_EQ(Ask("/readyz/ping").body, "ok");
  pods_ = Unavailable("listing");
  EXPECT_EQ(Ask("/readyz/cache-sync/v1/pods").status, 500);
  EXPECT_EQ(Ask("/readyz/cache-sync/v1/pods").body, "internal server error: listing\n");
  EXPECT_EQ(Ask("/readyz/none").status, 404);
}

TEST_F(AdminPagesTest, MetricsAreInPrometheusForm) {
  const AdminResponse response = Ask("/metrics");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_THAT(response.body, HasSubstr("weir_x 1\n"));
}

TEST_F(AdminPagesTest, OtherReplicasAreToldWhatThereIsToDo) {
  const AdminResponse response = Ask("/rebalancez");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.content_type, "application/json");
  EXPECT_EQ(response.body, "{}");
  EXPECT_EQ(Ask("/rebalancez", "POST").status, 405);
  EXPECT_EQ(Ask("/rebalancez/x").status, 404);
}

TEST_F(AdminPagesTest, NothingElseIsThere) {
  for (const char* target : {"/", "/metricsx", "/livezz", "/debug/pprof", "*", "/metrics/"}) {
    EXPECT_EQ(Ask(target).status, 404) << target;
  }
  EXPECT_EQ(Ask("/livez", "POST").status, 405);
  EXPECT_EQ(Ask("/livez", "HEAD").status, 200);
}

}  // namespace
}  // namespace weir
