// What a node's watches are, and that an event costs those alone who want it: counted, not timed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "bench/scale/model.h"
#include "bench/scale/node_plan.h"
#include "bench/scale/simulated_process.h"

namespace {

size_t allocations = 0;

}  // namespace

// Not inlined: GCC would see free() meet new and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir::scale {
namespace {

constexpr size_t kWorkers = 3;

ClusterShape Small(size_t nodes = 60) {
  ClusterShape shape;
  shape.nodes = nodes;
  shape.pods_per_node = 3;
  shape.config_maps_per_node = 4;
  shape.services = 20;
  shape.namespaces = 7;
  return shape;
}

std::unique_ptr<SimulatedProcess> Started(const ClusterShape& shape) {
  auto process = std::make_unique<SimulatedProcess>(shape, kWorkers);
  for (const WatchKind& kind : PlanCluster(shape)) process->Begin(kind);
  return process;
}

TEST(NodePlanTest, ANodeHasThirteenWatchesAndOneForEachConfigMap) {
  ClusterShape shape;
  EXPECT_EQ(WatchesPerNode(PlanCluster(shape)), 13 + shape.config_maps_per_node);
  EXPECT_EQ(CountWatches(PlanCluster(shape)),
            shape.nodes * (13 + shape.config_maps_per_node) + 4 * shape.controllers);
  shape.cached_secrets = true;
  EXPECT_EQ(WatchesPerNode(PlanCluster(shape)),
            13 + shape.config_maps_per_node + shape.secrets_per_node);
}

TEST(NodePlanTest, WhoWantsWhat) {
  ClusterShape shape = Small();
  const std::vector<WatchKind> plan = PlanCluster(shape);
  EXPECT_EQ(Recipients(plan, Event::kPodStatus), 2 + shape.controllers);
  EXPECT_EQ(Recipients(plan, Event::kLease), 0u);
  EXPECT_EQ(Recipients(plan, Event::kNodeStatus), 3 + shape.controllers);
  EXPECT_EQ(Recipients(plan, Event::kForeignConfigMap), 0u);
  EXPECT_EQ(Recipients(plan, Event::kOwnConfigMap), 1u);
  EXPECT_EQ(Recipients(plan, Event::kService), 2 * shape.nodes + shape.controllers);
  EXPECT_EQ(Recipients(plan, Event::kEndpointSlice), shape.nodes + shape.controllers);
  shape.agents_of_all = true;
  EXPECT_EQ(Recipients(PlanCluster(shape), Event::kPodStatus), 1 + shape.nodes + shape.controllers);
}

TEST(ScaleTest, EveryEventReachesThoseWhoWantItAndAsksNobodyElse) {
  for (const bool of_all : {false, true}) {
    ClusterShape shape = Small();
    shape.agents_of_all = of_all;
    const std::vector<WatchKind> plan = PlanCluster(shape);
    const auto process = Started(shape);
    EXPECT_EQ(process->watches(), CountWatches(plan));
    for (const Event event : kAllEvents) {
      SCOPED_TRACE(NameOf(event));
      const SimulatedProcess::Cost cost = process->Change(event, 50);
      EXPECT_EQ(cost.events, 50u);
      EXPECT_EQ(cost.recipients, 50 * Recipients(plan, event));
      // One filter for each component of the node, and one for all watchers of everything and one
      // for all kube-proxies on each worker.
      EXPECT_LE(cost.evaluations, 50 * (2 + 2 * kWorkers));
      EXPECT_LE(cost.gathers, cost.evaluations);
      if (Recipients(plan, event) == 0) {
        EXPECT_EQ(cost.evaluations, 0u);
      }
    }
  }
}

TEST(ScaleTest, ForeignEventsCostTheSameWhateverTheNumberOfWatches) {
  for (const Event event : {Event::kLease, Event::kForeignConfigMap}) {
    size_t before = 0;
    for (const size_t nodes : {20u, 400u}) {
      const auto process = Started(Small(nodes));
      process->Change(event, 100);
      allocations = 0;
      EXPECT_EQ(process->Change(event, 100).evaluations, 0u);
      if (before > 0) {
        EXPECT_LE(allocations, before + before / 10);
      }  // The tree may be deeper.
      before = allocations;
    }
  }
}

TEST(ScaleTest, AnEventOfAllAllocatesNothingPerRecipient) {
  size_t before = 0;
  for (const size_t nodes : {20u, 400u}) {
    const auto process = Started(Small(nodes));
    process->Change(Event::kEndpointSlice, 100);
    allocations = 0;
    EXPECT_EQ(process->Change(Event::kEndpointSlice, 100).recipients, 100 * (nodes + 3));
    if (before > 0) {
      EXPECT_LE(allocations, before + 10);
    }
    before = allocations;
  }
}

TEST(ScaleTest, AMinuteBringsEachWatchABookmarkThatIsMadeOncePerTypeAndWorker) {
  const ClusterShape shape = Small();
  const auto process = Started(shape);
  const SimulatedProcess::Cost minute = process->BookmarkMinute();
  EXPECT_EQ(minute.events, process->watches());
  EXPECT_LE(minute.gathers, kTypes * kWorkers);
}

TEST(ModelTest, AddsUp) {
  const Rates rates;
  const Load one = LoadOf(kWeir, rates, 50'000, 1);
  EXPECT_EQ(one.connections, 150'000);
  EXPECT_EQ(one.watches, 50'000 * 33);
  EXPECT_NEAR(one.forwards_per_second, 5000 + 167 + 312, 2);
  const Load half = LoadOf(kWeir, rates, 50'000, 2);
  EXPECT_DOUBLE_EQ(half.deliveries_per_second * 2, one.deliveries_per_second);
  EXPECT_DOUBLE_EQ(half.events_per_second, one.events_per_second);  // Each hears all.

  const Host host = {"", 8, 64e9, 3e9, 1e6};
  const size_t most = MostNodes(kWeir, rates, host);
  EXPECT_GT(most, 1000u);
  EXPECT_EQ(ReplicasFor(kWeir, rates, host, static_cast<double>(most)), 1u);
  EXPECT_GT(ReplicasFor(kWeir, rates, host, static_cast<double>(most) + 1), 1u);
}

}  // namespace
}  // namespace weir::scale
