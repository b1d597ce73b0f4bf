#include "proxy/net/signal.h"

#include <gtest/gtest.h>

#include "tests/proxy/net/net_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;

class SignalTest : public ::testing::Test {
 protected:
  SignalTest() { worker_.Start(); }
  ~SignalTest() override { worker_.Stop(); }
  Worker worker_{0};
};

TEST_F(SignalTest, ANotifyBeforeTheWaitIsNotLost) {
  RunOn(worker_, [&]() -> Async<void> {
    Signal signal(worker_);
    signal.Notify();
    signal.Notify();
    EXPECT_TRUE(co_await signal.Wait());
    const TimePoint soon = worker_.Now() + milliseconds(1);
    EXPECT_FALSE(co_await signal.Wait(soon)) << "two notifies before a wait are one";
    EXPECT_GE(worker_.Now(), soon);
  });
}

TEST_F(SignalTest, ADeadlineThatHasPassedDoesNotHideANotify) {
  RunOn(worker_, [&]() -> Async<void> {
    Signal signal(worker_);
    signal.Notify();
    EXPECT_TRUE(co_await signal.Wait(worker_.Now() - milliseconds(5)));
    EXPECT_FALSE(co_await signal.Wait(worker_.Now() - milliseconds(5)));
  });
}

TEST_F(SignalTest, NotifyWakesTheWaiterLaterAndNotInsideTheCall) {
  RunOn(worker_, [&]() -> Async<void> {
    Signal signal(worker_);
    bool inside = false, woken_inside = false, woken = false;
    worker_.Post([&] {
      inside = true;
      signal.Notify();
      woken_inside = woken;
      inside = false;
    });
    EXPECT_TRUE(co_await signal.Wait());
    woken = true;
    EXPECT_FALSE(inside);
    EXPECT_FALSE(woken_inside);
  });
}

TEST_F(SignalTest, APromiseBringsItsValueAtOnceOrLater) {
  RunOn(worker_, [&]() -> Async<void> {
    const Promise<std::string> now(worker_), later(worker_);
    now.Set("at once");
    worker_.Post([later] { later.Set("later"); });
    EXPECT_EQ(co_await now.Take(), "at once");
    EXPECT_EQ(co_await later.Take(), "later");
  });
}

TEST_F(SignalTest, ACallbackMayOutliveThePromisesWaiter) {
  std::function<void()> callback;
  RunOn(worker_, [&]() -> Async<void> {
    const Promise<int> promise(worker_);
    callback = [promise] { promise.Set(1); };
    EXPECT_EQ(co_await promise.Take(worker_.Now() + milliseconds(1)), std::nullopt);
  });
  CallOn(worker_, [&] {
    callback();
    callback = nullptr;
  });
}

}  // namespace
}  // namespace weir
