#include "cache/bookmark_wheel.h"

#include <gtest/gtest.h>

#include "cache/watcher.h"
#include "tests/cache/replica_fixture.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

// A wheel of a minute, and a watcher that the replica's own wheel knows nothing of.
class BookmarkWheelTest : public ReplicaTest {
 protected:
  BookmarkWheelTest() { Sync(); }

  CachedWatcher& Watcher() {
    clients_.push_back(WatchFrom(100));
    return static_cast<CachedWatcher&>(*clients_.back()->watcher);
  }
  bool DueAt(TimePoint now) {
    WheelList due;
    wheel_.TakeDue(now, due);
    return !due.empty();
  }

  const TimePoint start_ = TimePoint(1h);
  BookmarkWheel wheel_{60s};
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(BookmarkWheelTest, AnEmptyWheelIsNeverDue) {
  EXPECT_FALSE(wheel_.NextDue());
  EXPECT_FALSE(DueAt(start_ + 1h));
}

TEST_F(BookmarkWheelTest, TimesAreRoundedDownToASecond) {
  wheel_.Schedule(Watcher(), start_ + 8700ms, start_ + 300ms);
  EXPECT_EQ(wheel_.NextDue(), start_ + 8s);
  EXPECT_FALSE(DueAt(start_ + 7999ms));
  EXPECT_TRUE(DueAt(start_ + 8s));
  EXPECT_FALSE(wheel_.NextDue());
}

TEST_F(BookmarkWheelTest, NothingIsDueInTheSecondThatSchedulesIt) {
  wheel_.Schedule(Watcher(), start_ + 200ms, start_ + 100ms);
  EXPECT_EQ(wheel_.NextDue(), start_ + 1s);
}

TEST_F(BookmarkWheelTest, SchedulingAgainMovesIt) {
  CachedWatcher& watcher = Watcher();
  wheel_.Schedule(watcher, start_ + 50s, start_);
  wheel_.Schedule(watcher, start_ + 5s, start_);
  EXPECT_TRUE(DueAt(start_ + 5s));
  EXPECT_FALSE(wheel_.NextDue());
}

TEST_F(BookmarkWheelTest, AFullMinuteFitsAlsoLongAfterTheLastOne) {
  wheel_.Schedule(Watcher(), start_ + 60s, start_);
  wheel_.Schedule(Watcher(), start_ + 115s, start_ + 55s);
  EXPECT_TRUE(DueAt(start_ + 60s));
  EXPECT_FALSE(DueAt(start_ + 114s));
  EXPECT_TRUE(DueAt(start_ + 115s));
}

TEST_F(BookmarkWheelTest, ALateTimerFindsAllThatWereDueMeanwhile) {
  wheel_.Schedule(Watcher(), start_ + 2s, start_);
  wheel_.Schedule(Watcher(), start_ + 59s, start_);
  WheelList due;
  wheel_.TakeDue(start_ + 10min, due);
  int count = 0;
  due.ForEach([&](CachedWatcher&) { ++count; });
  EXPECT_EQ(count, 2);
  wheel_.Schedule(Watcher(), start_ + 11min, start_ + 10min);
  EXPECT_EQ(wheel_.NextDue(), start_ + 11min);
}

TEST_F(BookmarkWheelTest, ADestroyedWatcherIsGone) {
  wheel_.Schedule(Watcher(), start_ + 5s, start_);
  clients_.clear();
  EXPECT_FALSE(wheel_.NextDue());
}

}  // namespace
}  // namespace weir
