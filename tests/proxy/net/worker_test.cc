#include "proxy/net/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <vector>

#include "proxy/net/signal.h"

namespace weir {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

// Runs its function when it is destroyed.
struct OnDestruction {
  explicit OnDestruction(std::function<void()> f) : run(std::move(f)) {}
  ~OnDestruction() { run(); }
  OnDestruction(const OnDestruction&) = delete;
  OnDestruction& operator=(const OnDestruction&) = delete;
  std::function<void()> run;
};

void Finish(Worker& worker) {
  std::promise<void> done;
  worker.Post([&done] { done.set_value(); });
  done.get_future().wait();
}

TEST(WorkerTest, TasksRunInOrderOfPostingAndNeverInsideTheCall) {
  Worker worker(0);
  std::vector<int> order;
  worker.Post([&] {
    worker.Post([&] { order.push_back(3); });
    order.push_back(1);
    EXPECT_TRUE(worker.IsCurrent());
  });
  worker.Post([&] { order.push_back(2); });
  EXPECT_FALSE(worker.IsCurrent());
  worker.Start();
  Finish(worker);
  Finish(worker);
  worker.Stop();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(WorkerTest, TimersFireByTimeAndThenByOrderOfStarting) {
  Worker worker(0);
  std::vector<int> order;
  std::promise<void> done;
  worker.Post([&] {
    worker.After(milliseconds(2), [&] {
      order.push_back(3);
      done.set_value();
    });
    worker.After(milliseconds(1), [&] { order.push_back(1); });
    worker.After(Duration(-5), [&] { order.push_back(0); });
    worker.After(milliseconds(1), [&] { order.push_back(2); });
  });
  worker.Start();
  done.get_future().wait();
  worker.Stop();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(WorkerTest, ATimerMayCancelTimersThatAreDueAndItself) {
  Worker worker(0);
  std::promise<void> done;
  bool cancelled_ran = false;
  int runs = 0;
  worker.Post([&] {
    auto ids = std::make_shared<std::vector<Executor::TimerId>>();
    ids->push_back(worker.After(Duration(0), [&, ids] {
      ++runs;
      for (const auto id : *ids) worker.Cancel(id);  // This one too.
      worker.Cancel(0);
      worker.After(Duration(0), [&] { done.set_value(); });
    }));
    ids->push_back(worker.After(Duration(0), [&] { cancelled_ran = true; }));
  });
  worker.Start();
  done.get_future().wait();
  worker.Stop();
  EXPECT_EQ(runs, 1);
  EXPECT_FALSE(cancelled_ran);
}

TEST(WorkerTest, CancelDestroysTheTaskBeforeItReturns) {
  Worker worker(0);
  bool destroyed = false;
  auto held = std::make_shared<OnDestruction>([&] { destroyed = true; });
  const auto id = worker.After(hours(1), [held] {});
  held.reset();
  EXPECT_FALSE(destroyed);
  worker.Cancel(id);
  EXPECT_TRUE(destroyed);
}

TEST(WorkerTest, ATimerThatReArmsItselfLeavesTurnsToOthers) {
  Worker worker(0);
  std::promise<void> done;
  std::function<void()> again = [&] { worker.After(Duration(0), [&] { again(); }); };
  worker.Post([&] { again(); });
  worker.Start();
  Finish(worker);
  worker.Post([&] { done.set_value(); });
  done.get_future().wait();
  worker.Stop();
}

TEST(WorkerTest, DiscardDestroysTasksTimersAndCoroutinesWhichMayStillUseTheWorker) {
  Worker worker(0);
  int destroyed = 0;
  const auto use = [&] {
    ++destroyed;
    worker.Post([] { ADD_FAILURE() << "runs after the end"; });
    worker.Cancel(worker.After(hours(1), [] {}));
    EXPECT_GE(worker.Now(), TimePoint());
  };
  struct Story {
    static Async<void> Wait(Worker* w, std::function<void()> on_death) {
      const OnDestruction guard(std::move(on_death));
      Signal never(*w);
      co_await never.Wait();
    }
  };
  worker.Start();
  worker.Post([&] { worker.Spawn(Story::Wait(&worker, use)); });
  auto held = std::make_shared<OnDestruction>(use);
  worker.Post([&worker, held] { worker.After(hours(1), [held] {}); });
  held.reset();
  Finish(worker);
  Finish(worker);
  worker.Stop();
  auto late = std::make_shared<OnDestruction>(use);
  worker.Post([late] {});
  late.reset();
  EXPECT_EQ(destroyed, 0);
  worker.Discard();
  EXPECT_EQ(destroyed, 3);
  worker.Discard();  // And once more, by the destructor.
}

TEST(WorkerTest, AnExceptionEndsItsCoroutineAndNothingElse) {
  struct Story {
    static Async<void> Throw() {
      co_await net::this_coro::executor;
      throw std::runtime_error("expected by the test");
    }
    static Async<void> ThrowNumber() {
      co_await net::this_coro::executor;
      throw 7;
    }
  };
  Worker worker(0);
  worker.Post([&] {
    worker.Spawn(Story::Throw());
    worker.Spawn(Story::ThrowNumber());
  });
  worker.Start();
  Finish(worker);
  Finish(worker);
  worker.Stop();
  EXPECT_GT(worker.last_tick(), TimePoint());
}

TEST(WorkerTest, PostsFromManyThreadsAllRun) {
  Worker worker(0);
  worker.Start();
  int sum = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) worker.Post([&sum] { ++sum; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  Finish(worker);
  worker.Stop();
  EXPECT_EQ(sum, 2000);
}

}  // namespace
}  // namespace weir
