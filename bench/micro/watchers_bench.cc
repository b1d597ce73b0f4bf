// Many watchers of one replica, without sockets: what each holds in memory, and what an event costs
// that many, one or none of them wants.
//
//   batch ─▶ Replica ─▶ dispatch ─▶ views ─▶ watchers ─▶ sinks that count
//
// One thread; its own CPU time is what counts.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/replica.h"
#include "tests/fakes/log_builder.h"
#include "tests/fakes/manual_executor.h"

namespace weir::bench {
namespace {

constexpr uint64_t kFloor = 0;  // The log keeps all of the few batches.

class CountingSink final : public WatchSink {
 public:
  bool Write(std::span<const std::string_view>, size_t, size_t frames) override {
    frames_ += frames;
    return true;
  }
  void End() override {}
  size_t frames() const { return frames_; }

 private:
  size_t frames_ = 0;
};

class NoProofs final : public ProofSource {
 public:
  void Prove(Revision, Executor&, absl::AnyInvocable<void(bool)> done) override { done(false); }
};

// Resident, after free memory has gone back.
double ResidentBytes() {
  malloc_trim(0);
  long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

class Watched {
 public:
  Watched() {
    log_.SetType({"", "v1", "configmaps"}, true);
    log_.Seed("other/x", 90);
    replica_->OnReset(log_.Begin(), CacheState::kSynced);
  }
  void Watch(Filter filter) {
    WatchSpec spec;
    spec.filter = std::move(filter);
    spec.from = Revision{log_.revision()};
    spec.bookmarks = true;
    spec.deadline = home_.Now() + std::chrono::minutes(10);
    watchers_.push_back(replica_->Watch(std::move(spec), sink_));
    watchers_.back()->OnWritable();
  }
  void Reserve(size_t watchers) { watchers_.reserve(watchers); }
  BatchRef Event(std::string_view key) { return log_.Put(key).Cut(); }
  void Publish(BatchRef batch) { replica_->OnBatch(std::move(batch), kFloor); }
  size_t frames() const { return sink_.frames(); }
  uint64_t evaluations() const { return replica_->counters().evaluations; }

 private:
  ManualExecutor home_;
  LogBuilder log_;
  CountingSink sink_;
  std::shared_ptr<Replica> replica_ =
      Replica::Make(home_, std::make_shared<NoProofs>(), Replica::Limits{});
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

std::string NameOf(size_t i) { return fmt::format("config-of-workload-{:07}", i); }

Filter OneObject(size_t i) {
  return {"team-a", LabelSelector(), FieldSelector::Parse("metadata.name=" + NameOf(i)).value(),
          SelectableFields::BuiltIn({"", "v1", "configmaps"})};
}

// Events of `key` while the watchers that `add` begins are waiting; each wants `recipients`.
void Events(benchmark::State& state, void (*add)(Watched&, size_t), std::string_view key,
            size_t recipients) {
  const auto watchers = static_cast<size_t>(state.range(0));
  Watched watched;
  watched.Reserve(watchers);
  const double before = ResidentBytes();
  for (size_t i = 0; i < watchers; ++i) add(watched, i);
  const double held = ResidentBytes() - before;
  const size_t frames = watched.frames();
  const uint64_t evaluations = watched.evaluations();
  size_t events = 0;
  for (auto _ : state) {
    state.PauseTiming();
    BatchRef batch = watched.Event(key);
    state.ResumeTiming();
    watched.Publish(std::move(batch));
    ++events;
  }
  if (watched.frames() - frames != events * recipients) state.SkipWithError("not all got it");
  const auto each = static_cast<double>(std::max<size_t>(events, 1));
  state.counters["bytes_per_watcher"] = held / static_cast<double>(watchers);
  state.counters["evaluations_per_event"] =
      static_cast<double>(watched.evaluations() - evaluations) / each;
  if (recipients > 0) {
    state.counters["time_per_recipient"] = benchmark::Counter(
        static_cast<double>(recipients),
        benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  }
}

void AddNamed(Watched& watched, size_t i) { watched.Watch(OneObject(i)); }
void AddOfAll(Watched& watched, size_t) { watched.Watch(Filter()); }

// As kubelets do, one watch for each ConfigMap of each pod; nobody wants this event.
void BM_NamedForeignEvent(benchmark::State& state) { Events(state, AddNamed, "other/x", 0); }
// One of them does.
void BM_NamedOwnEvent(benchmark::State& state) {
  Events(state, AddNamed, "team-a/" + NameOf(7), 1);
}
// As kube-proxies do with Services: everybody wants it.
void BM_SharedEvent(benchmark::State& state) {
  Events(state, AddOfAll, "other/x", static_cast<size_t>(state.range(0)));
}

BENCHMARK(BM_NamedForeignEvent)->Arg(10'000)->Arg(1'000'000)->Iterations(1000);
BENCHMARK(BM_NamedOwnEvent)->Arg(10'000)->Arg(1'000'000)->Iterations(1000);
BENCHMARK(BM_SharedEvent)->Arg(1000)->Arg(20'000)->Iterations(200);

}  // namespace
}  // namespace weir::bench
