// What watchers cost in memory and allocations, counted, not timed.
#include <cstdlib>
#include <new>

#include "tests/cache/replica_fixture.h"

namespace {

size_t allocations = 0;
size_t allocated_bytes = 0;

}  // namespace

// Not inlined: GCC would see free() meet new and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace weir {
namespace {

class NullSink final : public WatchSink {
 public:
  bool Write(std::span<const std::string_view>, size_t bytes, size_t) override {
    received += bytes;
    return true;
  }
  void End() override {}
  size_t received = 0;
};

class ReplicaCostTest : public ReplicaTest {
 protected:
  void Add(size_t count, const Filter& filter) {
    watchers_.reserve(watchers_.size() + count);
    for (size_t i = 0; i < count; ++i) {
      WatchSpec spec;
      spec.filter = filter;
      spec.bookmarks = true;
      watchers_.push_back(replica().Watch(std::move(spec), sink_));
      watchers_.back()->OnWritable();
    }
  }
  // Of one batch with one event, after a few to warm up.
  size_t AllocationsOfABatch() {
    for (int i = 0; i < 20; ++i) {
      log_.Put("n/a", {.node = "n1"});
      Publish();
    }
    log_.Put("n/a", {.node = "n1"});
    BatchRef batch = log_.Cut();
    const size_t before = allocations;
    replica().OnBatch(std::move(batch), floor_);
    return allocations - before;
  }

  NullSink sink_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

TEST_F(ReplicaCostTest, DeliveringAnEventAllocatesNothingPerWatcher) {
  Sync();
  Add(1, Filter());
  const size_t one = AllocationsOfABatch();
  Add(1000, Filter());
  for (int i = 0; i < 100; ++i) Add(1, Wants("", "", "spec.nodeName=n" + std::to_string(i)));
  const size_t received = sink_.received;
  const size_t many = AllocationsOfABatch();
  EXPECT_GT(sink_.received, received + 1000 * 100);
  EXPECT_LE(many, one + 1);  // The log's deque may grow a block.
  EXPECT_LE(one, 2u);
}

TEST_F(ReplicaCostTest, AWaitingWatcherIsAFewHundredBytes) {
  Sync();
  Add(10, Filter());
  watchers_.reserve(4000);
  size_t before = allocated_bytes;
  Add(1000, Filter());
  EXPECT_LE((allocated_bytes - before) / 1000, 128u);
  before = allocated_bytes;
  for (int i = 0; i < 1000; ++i) Add(1, Wants("", "", "spec.nodeName=node-" + std::to_string(i)));
  // What the parser of the selector allocates and gives back, and what the table of views leaves
  // behind as it grows, counts too.
  EXPECT_LE((allocated_bytes - before) / 1000, 1200u);
}

}  // namespace
}  // namespace weir
