// Whatever befalls a feed is told to its operator: in /readyz, in the metrics and in the log.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "cache/registry.h"
#include "proxy/admin/health.h"
#include "proxy/admin/metrics_writer.h"
#include "proxy/admin/process_metrics.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

class FeedFaultsTest : public ::testing::Test {
 protected:
  FeedFaultsTest() {
    testing::internal::CaptureStderr();
    for (const ResourceType& type : {Pods(), Crds(), ApiServices()}) server_.Serve(type);
    options_.seed = 7;
  }
  ~FeedFaultsTest() override {
    replica_.reset();
    registry_.reset();
    Run();
    // Shown only where a test did not look at it.
    if (!log_taken_) testing::internal::GetCapturedStderr();
  }

  void Run(Duration time = Duration(0)) { ManualExecutor::Advance({&home_}, time); }
  void Start() {
    registry_ = Registry::Make(options_, {{&home_, [this] { return server_.Connect(home_); }}});
    registry_->Open(0, Pods().id, WantedEncoding{},
                    [this](std::shared_ptr<Replica> replica) { replica_ = std::move(replica); });
    Run(milliseconds(100));
  }
  // A feed that has been well for long enough to be trusted.
  void StartWell() {
    Put("a");
    Start();
    Run(seconds(10));
    EXPECT_THAT(Readyz(), HasSubstr("[+]cache-sync/v1/pods ok"));
    EXPECT_EQ(Metric("weir_feed_state", ",state=\"synced\""), 1);
  }
  void Put(const std::string& name) { server_.Put(Pods().id, "default", name, {}); }

  std::string Readyz() {
    const auto feeds = registry_->Status();
    const auto checks = FeedChecks(feeds);
    return ReportHealth("readyz", checks, /*verbose=*/true, {}).body;
  }
  // -1: there is none.
  int Metric(const std::string& name, const std::string& more = "") {
    std::string page;
    MetricsWriter writer(page);
    const auto feeds = registry_->Status();
    WriteFeeds(feeds, writer);
    const std::string sample =
        name + "{group=\"\",version=\"v1\",resource=\"pods\",encoding=\"json\"" + more + "} ";
    const size_t at = page.find("\n" + sample);
    return at == std::string::npos ? -1 : std::stoi(page.substr(at + 1 + sample.size()));
  }
  std::string TakeLog() {
    log_taken_ = true;
    return testing::internal::GetCapturedStderr();
  }

  ManualExecutor home_;
  FakeApiServer server_;
  Registry::Options options_;
  std::unique_ptr<Registry> registry_;
  std::shared_ptr<Replica> replica_;
  bool log_taken_ = false;
};

TEST_F(FeedFaultsTest, AnApiServerThatIsAwayAndComesBack) {
  StartWell();
  server_.FailNext(1000, 0);
  server_.CutStreams(false);
  Run(seconds(1));
  EXPECT_THAT(Readyz(), HasSubstr("[-]cache-sync/v1/pods failed (not required): "));
  EXPECT_EQ(Metric("weir_feed_state", ",state=\"broken\""), 1);
  EXPECT_EQ(Metric("weir_feed_state", ",state=\"synced\""), -1);
  server_.FailNext(0, 0);
  Run(minutes(2));
  EXPECT_THAT(Readyz(), HasSubstr("[+]cache-sync/v1/pods ok"));
  EXPECT_EQ(Metric("weir_feed_resyncs_total"), 0) << "nothing was lost";
  const std::string log = TakeLog();
  EXPECT_THAT(log, HasSubstr("\"Feed lost its stream\" resource=\"v1/pods\" why=\"WATCH: "));
  EXPECT_THAT(log, HasSubstr("\"Feed watches\" resource=\"v1/pods\""));
}

TEST_F(FeedFaultsTest, AHistoryThatIsLost) {
  StartWell();
  server_.SetDeaf(true);
  Put("b");
  server_.Compact(Pods().id);
  server_.SetDeaf(false);
  server_.CutStreams(false);
  Run(minutes(1));
  EXPECT_THAT(Readyz(), HasSubstr("[+]cache-sync/v1/pods ok"));
  EXPECT_EQ(Metric("weir_feed_resyncs_total"), 1);
  EXPECT_EQ(Metric("weir_cache_objects"), 2);
  EXPECT_THAT(TakeLog(), HasSubstr("\"Feed listed\" resource=\"v1/pods\" objects=2 changes=1"));
}

TEST_F(FeedFaultsTest, AnEtcdThatIsRestored) {
  StartWell();
  const Revision before = server_.revision();
  Put("b");
  Run(seconds(1));
  server_.Restore(before);
  Run(minutes(1));
  EXPECT_THAT(Readyz(), HasSubstr("[+]cache-sync/v1/pods ok"));
  EXPECT_EQ(Metric("weir_feed_regressions_total"), 1);
  EXPECT_EQ(Metric("weir_cache_objects"), 1);
  EXPECT_THAT(TakeLog(), HasSubstr("\"Upstream's revision went back; all watches end\""));
}

TEST_F(FeedFaultsTest, ATypeThatUpstreamRefuses) {
  server_.AnswerAlways(Pods().id, 403);
  Start();
  EXPECT_THAT(
      Readyz(),
      HasSubstr("[-]cache-sync/v1/pods failed (not required): LIST: upstream answered 403"));
  EXPECT_EQ(Metric("weir_feed_state", ",state=\"refused\""), 1);
  EXPECT_THAT(TakeLog(), HasSubstr("\"Feed refused; its reads are forwarded\" "
                                   "resource=\"v1/pods\" why=\"LIST: upstream answered 403\""));
}

TEST_F(FeedFaultsTest, ATypeThatDoesNotFit) {
  options_.max_cache_bytes = 1000;
  for (char name = 'a'; name < 'z'; ++name) Put(std::string(1, name));
  Start();
  EXPECT_THAT(Readyz(), HasSubstr("[-]cache-sync/v1/pods failed (not required): LIST: the objects "
                                  "exceed the memory budget"));
  EXPECT_EQ(Metric("weir_feed_state", ",state=\"refused\""), 1);
  EXPECT_THAT(TakeLog(), HasSubstr("\"Feed refused; its reads are forwarded\""));
}

TEST_F(FeedFaultsTest, RevisionsThatAreNoNumbers) {
  server_.SetRevisionText("abc");
  Start();
  EXPECT_THAT(Readyz(), HasSubstr("[-]cache-sync/v1/pods failed (not required): LIST: "
                                  "resourceVersion \"abc\" is no number"));
  EXPECT_EQ(Metric("weir_feed_state", ",state=\"refused\""), 1);
  EXPECT_THAT(TakeLog(), HasSubstr("is no number"));
}

TEST_F(FeedFaultsTest, AStreamThatFallsSilent) {
  StartWell();
  server_.SetDeaf(true);
  Put("b");
  Run(minutes(4));
  server_.SetDeaf(false);
  Run(minutes(1));
  EXPECT_EQ(Metric("weir_cache_objects"), 2);
  EXPECT_THAT(TakeLog(), HasSubstr("\"Feed's stream fell silent\" resource=\"v1/pods\""));
}

TEST_F(FeedFaultsTest, ReadsThatNobodyCanProveFresh) {
  StartWell();
  std::optional<ReadOutcome> outcome;
  const auto read = [&] {
    outcome.reset();
    const auto ticket =
        replica_->Read({ReadSpec::Kind::kMostRecent, {}},
                       [&](ReadOutcome answer, const Snapshot&) { outcome = answer; });
    Run(seconds(5));
  };
  read();
  EXPECT_EQ(outcome, ReadOutcome::kServe);
  EXPECT_EQ(Metric("weir_freshness_proofs_total"), 1);
  server_.SetHang(true);
  read();
  EXPECT_EQ(outcome, ReadOutcome::kForward);
  EXPECT_EQ(Metric("weir_freshness_proofs_failed_total"), 1);
}

}  // namespace
}  // namespace weir
