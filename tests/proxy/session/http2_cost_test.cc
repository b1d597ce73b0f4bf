// What an event costs on its way into HTTP/2 streams, counted, not timed.
#include <cstdlib>
#include <new>

#include "tests/proxy/session/http2_fixture.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

// Not inlined: GCC would see free() meet new and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

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

}  // namespace
}  // namespace weir
