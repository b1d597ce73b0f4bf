// What an event costs on its way into HTTP/2 streams, counted, not timed.
#include <malloc.h>

#include <cstdlib>
#include <new>
#include <thread>

#include "tests/proxy/session/http2_fixture.h"

namespace {
thread_local size_t allocations = 0;
// By this thread, without what the C of nghttp2 and OpenSSL asks for.
thread_local int64_t held = 0;

void Free(void* memory) {
  held -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}
}  // namespace

// Not inlined: GCC would see free() meet new and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) {
    held += static_cast<int64_t>(malloc_usable_size(memory));
    return memory;
  }
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { Free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { Free(memory); }

namespace weir {
namespace {

class Http2CostTest : public Http2Test {
 protected:
  void OpenWatches(int count) {
    for (; count > 0; --count) {
      SendGet(next_, "/api/v1/pods?watch=1&resourceVersion=0");
      ReadBodyUntil(next_, "of-b");
      next_ += 2;
    }
  }
  // Of one event, after a few to warm up.
  size_t AllocationsOfAnEvent() {
    for (int i = 0; i < 20; ++i) Publish();
    const size_t count = Publish();
    ExpectAlive();
    return count;
  }
  size_t Publish() {
    size_t count = 0;
    CallOn(worker_, [&] {
      log_.Put("default/c", {.note = std::to_string(++events_)});
      BatchRef batch = log_.Cut();
      const size_t before = allocations;
      replica_->OnBatch(std::move(batch), 1);
      count = allocations - before;
    });
    return count;
  }
  uint32_t next_ = 1;
  int events_ = 0;
};

TEST_F(Http2CostTest, MoreRecipientsOfAnEventAllocateNoMore) {
  ConnectHttp2();
  OpenWatches(1);
  const size_t for_one = AllocationsOfAnEvent();
  OpenWatches(40);
  EXPECT_LE(AllocationsOfAnEvent(), for_one);
}

// What a kubelet has one of for each ConfigMap: an object each for the stream, the watch, its
// attributes and its place in the cache, and nothing of a handler or of a request's head.
TEST_F(Http2CostTest, AWaitingWatchOfOneNameHoldsLittle) {
  constexpr int kFew = 10, kMore = 80;
  ConnectHttp2();
  const auto open = [&](int first, int count) {
    for (int i = first; i < first + count; ++i, next_ += 2) {
      SendGet(next_,
              "/api/v1/namespaces/default/pods?watch=1&resourceVersion=100&fieldSelector="
              "metadata.name%3Dconfiguration-of-workload-" +
                  std::to_string(1000 + i));
    }
    const auto all = static_cast<size_t>(first + count);
    size_t running = 0;
    for (int i = 0; i < 5000 && running < all; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      CallOn(worker_, [&] { running = service_.watches.size(); });
    }
    ExpectAlive();
    EXPECT_EQ(running, all) << answers_[next_ - 2].body;
    int64_t bytes = 0;
    CallOn(worker_, [&] {
      authorizer_.asked = {};
      bytes = held;
    });
    return bytes;
  };
  const int64_t before = open(0, kFew);
  const int64_t after = open(kFew, kMore);
  EXPECT_LE((after - before) / kMore, 1400);
}

// An answer's own fields (Audit-Id) are not kept by either end of a connection.
TEST_F(Http2CostTest, MoreAnswersKeepNoMoreFields) {
  ConnectHttp2();
  const auto ask = [&](int times) {
    for (; times > 0; --times, next_ += 2) {
      SendGet(next_, "/api/v1/pods?resourceVersion=0");
      ASSERT_EQ(ReadAnswer(next_)[":status"], "200");
    }
  };
  ask(3);
  const size_t few = coder_->kept_bytes();
  ask(60);
  constexpr size_t kDates = 10 * 70;  // One of each second.
  EXPECT_LE(coder_->kept_bytes(), few + kDates);
  EXPECT_GT(few, 0u);
}

}  // namespace
}  // namespace weir
