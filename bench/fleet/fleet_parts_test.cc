// The parts of the fleet that decide what is right and what is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "bench/fleet/event_lines.h"
#include "bench/fleet/first_seen.h"
#include "bench/fleet/histogram.h"
#include "bench/fleet/known_state.h"
#include "bench/fleet/watch_plan.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir::fleet {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

std::string Pod(std::string_view name, uint64_t revision) {
  return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + std::string(name) +
         R"(","namespace":"a","uid":"u","resourceVersion":")" + std::to_string(revision) + R"("}})";
}

// With the bytes behind it that the scanner may read.
std::string_view Padded(std::string& text) {
  const size_t size = text.size();
  text.append(MetadataScanner::kPadding, '\0');
  return std::string_view(text).substr(0, size);
}

void Apply(KnownState& state, FrameType type, std::string_view name, uint64_t revision) {
  std::string text = Pod(name, revision);
  ASSERT_TRUE(state.Apply(type, Padded(text)).ok());
}

TEST(EventLines, FindsTheSameEventsHoweverTheStreamIsCut) {
  const std::string stream = R"({"type":"ADDED","object":)" + Pod("x", 7) + "}\n" +
                             R"({"type":"BOOKMARK","object":)" + Pod("", 9) + "}\n" +
                             R"({"type":"DELETED","object":)" + Pod("x", 12) + "}\n";
  for (size_t step = 1; step <= stream.size(); ++step) {
    EventLines lines;
    std::vector<std::pair<FrameType, uint64_t>> seen;
    for (size_t at = 0; at < stream.size(); at += step) {
      lines.Feed(std::string_view(stream).substr(at, step));
      EventLine event;
      for (StatusOr<bool> whole = lines.Next(event); *whole; whole = lines.Next(event)) {
        seen.emplace_back(event.type, event.revision.value);
      }
    }
    EXPECT_FALSE(lines.incomplete());
    EXPECT_THAT(seen, testing::ElementsAre(std::pair(FrameType::kAdded, 7),
                                           std::pair(FrameType::kBookmark, 9),
                                           std::pair(FrameType::kDeleted, 12)));
  }
}

TEST(EventLines, RefusesWhatIsNoEvent) {
  for (const std::string_view text :
       {"hello\n", "{\"type\":\"ADDED\",\"object\":{}}\n", "{\"type\":\"NEW\",\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":{\"resourceVersion\":\"x\"}}\n"}) {
    EventLines lines;
    lines.Feed(text);
    EventLine event;
    EXPECT_FALSE(lines.Next(event).ok()) << text;
  }
}

TEST(EventLines, KnowsThatALineHasNotEnded) {
  EventLines lines;
  lines.Feed(R"({"type":"ADD)");
  EventLine event;
  EXPECT_FALSE(*lines.Next(event));
  EXPECT_TRUE(lines.incomplete());
}

TEST(KnownState, AgreesWithAListThatIsEqual) {
  KnownState state, list;
  Apply(state, FrameType::kAdded, "x", 5);
  Apply(state, FrameType::kAdded, "y", 6);
  Apply(state, FrameType::kDeleted, "y", 8);
  Apply(list, FrameType::kAdded, "x", 5);
  std::string first;
  EXPECT_EQ(state.Differences(list, Revision{9}, first), 0u) << first;
}

TEST(KnownState, MayBeAheadOfTheList) {
  KnownState state, list;
  Apply(state, FrameType::kModified, "x", 11);
  Apply(state, FrameType::kAdded, "new", 12);
  Apply(state, FrameType::kDeleted, "gone", 13);
  Apply(list, FrameType::kAdded, "x", 5);
  Apply(list, FrameType::kAdded, "gone", 6);
  std::string first;
  EXPECT_EQ(state.Differences(list, Revision{10}, first), 0u) << first;
}

TEST(KnownState, CountsALostChangeALostObjectAndALostDeletion) {
  KnownState state, list;
  Apply(state, FrameType::kAdded, "changed", 5);
  Apply(state, FrameType::kAdded, "deleted", 6);
  Apply(list, FrameType::kModified, "changed", 9);
  Apply(list, FrameType::kAdded, "added", 8);
  std::string first;
  EXPECT_EQ(state.Differences(list, Revision{10}, first), 3u);
  EXPECT_FALSE(first.empty());
}

TEST(FirstSeen, GivesTheTimeSinceTheFirstSight) {
  FirstSeen seen;
  const TimePoint start{milliseconds(100)};
  EXPECT_EQ(seen.Note(Kind::kPods, Revision{7}, start), std::nullopt);
  EXPECT_EQ(seen.Note(Kind::kPods, Revision{7}, start + milliseconds(3)), milliseconds(3));
  EXPECT_EQ(seen.Note(Kind::kNodes, Revision{7}, start), std::nullopt);
}

TEST(FirstSeen, ForgetsWhatALaterRevisionReplaced) {
  FirstSeen seen;
  const TimePoint start{milliseconds(100)};
  EXPECT_EQ(seen.Note(Kind::kPods, Revision{7}, start), std::nullopt);
  EXPECT_EQ(seen.Note(Kind::kPods, Revision{7 + 65536}, start), std::nullopt);
  EXPECT_EQ(seen.Note(Kind::kPods, Revision{7}, start + milliseconds(3)), std::nullopt);
}

TEST(Histogram, GivesPercentilesWithinASixteenth) {
  Histogram times;
  for (int i = 1; i <= 1000; ++i) times.Add(microseconds(10 * i));
  EXPECT_EQ(times.count(), 1000u);
  EXPECT_EQ(times.max(), milliseconds(10));
  const auto near = [](Duration time, double micros) {
    EXPECT_NEAR(static_cast<double>(time.count()) / 1e3, micros, micros / 16 + 10);
  };
  near(times.Percentile(50), 5000);
  near(times.Percentile(99), 9900);
  EXPECT_EQ(times.Percentile(100), milliseconds(10));
}

TEST(Histogram, MergesAndIsZeroWhenEmpty) {
  Histogram a, b;
  EXPECT_EQ(a.Percentile(50), Duration(0));
  b.Add(milliseconds(5));
  a.Merge(b);
  EXPECT_EQ(a.Percentile(50), milliseconds(5));
}

TEST(PlanNode, HasAKubeletsAndAKubeProxysWatches) {
  const ClusterNames names{.nodes = {"n0", "n1"}, .config_maps = {{"a", "m0"}, {"b", "m1"}}};
  const std::vector<WatchTarget> plan = PlanNode(names, 3);
  EXPECT_EQ(plan.size(), WatchesPerNode(names));
  std::vector<std::string> targets;
  for (const WatchTarget& target : plan) targets.push_back(target.path + "?" + target.selectors);
  EXPECT_THAT(targets, testing::IsSupersetOf(
                           {"/api/v1/pods?fieldSelector=spec.nodeName%3Dn1",
                            "/api/v1/nodes?fieldSelector=metadata.name%3Dn1", "/api/v1/services?",
                            "/api/v1/namespaces/b/configmaps?fieldSelector=metadata.name%3Dm1",
                            "/api/v1/namespaces/a/configmaps?fieldSelector=metadata.name%3Dm0"}));
}

}  // namespace
}  // namespace weir::fleet
