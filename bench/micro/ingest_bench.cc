// Upstream's events on their way into the cache: from the bytes of a WATCH to the published
// snapshot and the log, read by one replica.
//
//   frames ─▶ WatchStream ─▶ MetadataScanner ─▶ ObjectTree, log ─▶ batch ─▶ Replica
//
// TLS and HTTP/1.1 chunks are not in it. One thread; its own CPU time is what counts.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench/micro/pod_bytes.h"
#include "cache/feed_home.h"
#include "tests/fakes/manual_executor.h"

namespace weir::bench {
namespace {

constexpr size_t kPods = 50'000;
constexpr size_t kEventsPerLap = 10'000;

double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Answers the feed's LIST with all pods, and keeps its WATCH for the benchmark to write into.
class Upstream final : public ListWatcher {
 public:
  Upstream(Executor& executor, Encoding encoding, ApiResponseSink*& watch)
      : executor_(executor), encoding_(encoding), watch_(watch) {}

  std::unique_ptr<ApiCall> Get(ApiRequest request, ApiResponseSink& sink) override {
    const bool watch = request.target.find("watch=true") != std::string::npos;
    executor_.Post([this, watch, &sink] {
      ApiResponseHead head;
      head.status = 200;
      head.content_type = FeedAccept(encoding_, watch);
      if (watch && IsProtobuf(encoding_)) head.content_type = kProtobufWatchType;
      sink.OnHead(head);
      if (watch) {
        watch_ = &sink;
        return;
      }
      const std::string body = PodList(encoding_, kPods);
      for (size_t at = 0; at < body.size(); at += kListPiece)
        sink.OnBody(std::string_view(body).substr(at, kListPiece));
      sink.OnEnd(OkStatus());
    });
    return std::make_unique<Call>();
  }
  void SwitchEndpoint() override {}

 private:
  static constexpr size_t kListPiece = size_t{1} << 18;
  class Call final : public ApiCall {};

  Executor& executor_;
  const Encoding encoding_;
  ApiResponseSink*& watch_;
};

class Ingest {
 public:
  explicit Ingest(Encoding encoding) : encoding_(encoding) {
    const ResourceType pods{.id = {"", "v1", "pods"},
                            .kind = "Pod",
                            .can_get = true,
                            .can_list = true,
                            .can_watch = true};
    FeedHome::Options options;
    options.feed.encoding = encoding;
    home_ = std::make_shared<FeedHome>(
        executor_, [this] { return std::make_unique<Upstream>(executor_, encoding_, watch_); },
        pods, options, std::make_shared<MemoryBudget>(size_t{8} << 30));
    replica_ = Replica::Make(executor_, home_->proofs(), {});
    home_->AddReader(replica_);
    home_->Start();
    executor_.RunReady();
  }
  ~Ingest() {
    home_->Stop([] {});
    executor_.RunReady();
  }

  bool ready() const { return watch_ != nullptr && replica_->state() == CacheState::kSynced; }
  // The bytes of `count` events of random pods, as pieces of `events_per_read` events.
  std::vector<std::string> Prepare(size_t count, size_t events_per_read) {
    std::vector<std::string> pieces((count + events_per_read - 1) / events_per_read);
    for (size_t i = 0; i < count; ++i)
      AppendModified(encoding_, random_() % kPods, ++revision_, pieces[i / events_per_read]);
    return pieces;
  }
  void Feed(const std::vector<std::string>& pieces) {
    for (const std::string& piece : pieces) {
      watch_->OnBody(piece);
      executor_.RunReady();
    }
  }
  // All that was fed has arrived, in the replica too.
  bool complete() const { return replica_->snapshot().revision.value == revision_; }

 private:
  const Encoding encoding_;
  ManualExecutor executor_;
  ApiResponseSink* watch_ = nullptr;
  std::shared_ptr<FeedHome> home_;
  std::shared_ptr<Replica> replica_;
  std::minstd_rand random_{1};
  uint64_t revision_ = kFirstRevision;
};

void BM_Ingest(benchmark::State& state, Encoding encoding) {
  const auto events_per_read = static_cast<size_t>(state.range(0));
  Ingest ingest(encoding);
  if (!ingest.ready()) return state.SkipWithError("the feed did not come up");
  ingest.Feed(ingest.Prepare(kEventsPerLap, events_per_read));  // Warms up; is not counted.
  size_t bytes = 0;
  for (auto _ : state) {
    const std::vector<std::string> pieces = ingest.Prepare(kEventsPerLap, events_per_read);
    const double before = ThreadCpuSeconds();
    ingest.Feed(pieces);
    state.SetIterationTime(ThreadCpuSeconds() - before);
    if (!ingest.complete()) return state.SkipWithError("events were lost");
    for (const std::string& piece : pieces) bytes += piece.size();
  }
  const auto events = static_cast<double>(state.iterations()) * static_cast<double>(kEventsPerLap);
  state.SetItemsProcessed(static_cast<int64_t>(events));
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.counters["event_bytes"] = static_cast<double>(bytes) / events;
}

// Events of a read: one, as at low rates, and as many as 16 KiB of a TLS record hold.
BENCHMARK_CAPTURE(BM_Ingest, json, Encoding::kJson)
    ->ArgName("events_per_read")
    ->Arg(1)
    ->Arg(8)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(BM_Ingest, protobuf, Encoding::kProtobuf)
    ->ArgName("events_per_read")
    ->Arg(1)
    ->Arg(8)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace weir::bench

BENCHMARK_MAIN();
