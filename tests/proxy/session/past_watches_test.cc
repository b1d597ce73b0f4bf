#include "proxy/session/past_watches.h"

#include <gtest/gtest.h>

#include <vector>

namespace weir {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(PastWatches, AreSoManyAtOnce) {
  PastWatches watches;
  const TimePoint start{seconds(1000)};
  std::vector<PastWatches::Place> places;
  for (int i = 0; i < PastWatches::kMost; ++i) {
    auto place = watches.Enter(start + seconds(i));
    ASSERT_TRUE(place.has_value()) << i;
    places.push_back(*std::move(place));
  }
  const TimePoint later = start + seconds(1000);
  EXPECT_FALSE(watches.Enter(later).has_value());
  places.pop_back();
  EXPECT_TRUE(watches.Enter(later).has_value());
}

TEST(PastWatches, BeginSoManyASecond) {
  PastWatches watches;
  const TimePoint start{seconds(1000)};
  for (int i = 0; i < PastWatches::kMost; ++i)
    EXPECT_TRUE(watches.Enter(start).has_value()) << "ends at once";
  EXPECT_FALSE(watches.Enter(start).has_value());
  EXPECT_FALSE(watches.Enter(start + milliseconds(99)).has_value());
  EXPECT_TRUE(watches.Enter(start + milliseconds(100)).has_value());
  EXPECT_FALSE(watches.Enter(start + milliseconds(100)).has_value());
  int begun = 0;
  for (int i = 0; i < 50; ++i)
    begun += watches.Enter(start + milliseconds(1100)).has_value() ? 1 : 0;
  EXPECT_EQ(begun, PastWatches::kPerSecond);
}

}  // namespace
}  // namespace weir
