#include "bench/scale/simulated_process.h"

#include <fmt/format.h>
#include <malloc.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>

namespace weir::scale {

namespace {

constexpr uint64_t kFirstRevision = 1'000'000'000;
constexpr Duration kMinute = std::chrono::seconds(60);
// Prime to any population that is not its multiple: events wander over all objects.
constexpr size_t kStride = 7919;

class NoProofs final : public ProofSource {
 public:
  void Prove(Revision, Executor&, absl::AnyInvocable<void(bool)> done) override { done(false); }
};

// A component's connection is one worker's, whichever took it: as if by chance, always the same.
size_t WorkerOf(std::string_view component, size_t holder) {
  const size_t salt = static_cast<size_t>(component.front()) + component.size() * 2 + 1;
  return ((holder + 1) * salt * 2654435761u) >> 16;
}

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

double ResidentBytes() {
  malloc_trim(0);
  long pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<double>(pages) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

class SimulatedProcess::CountingSink final : public WatchSink {
 public:
  bool Write(std::span<const std::string_view>, size_t, size_t) override { return true; }
  void End() override {}
};

struct SimulatedProcess::TypeState {
  TypeState(Type which, Executor& home)
      : type(which),
        fields(SelectableFields::BuiltIn(FactsOf(which).id)),
        scanner(Encoding::kJson, fields),
        cache(home, Cache::Limits{}) {}

  const Type type;
  const std::shared_ptr<const SelectableFields> fields;
  MetadataScanner scanner;
  Cache cache;
  std::vector<std::shared_ptr<Replica>> replicas;  // By worker.
  uint64_t revision = kFirstRevision;
  std::string text;  // Of the object that is being made, and padding.
  size_t text_size = 0;
};

SimulatedProcess::SimulatedProcess(const ClusterShape& shape, size_t workers)
    : shape_(shape), sink_(std::make_unique<CountingSink>()) {
  for (size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<ManualExecutor>());
    all_.push_back(workers_.back().get());
  }
  watchers_.reserve(CountWatches(PlanCluster(shape)));
  for (const Type type : kAllTypes) {
    // Homes are spread, as the registry spreads them.
    ManualExecutor& home = *workers_[static_cast<size_t>(type) % workers];
    TypeState& made = *types_.emplace_back(std::make_unique<TypeState>(type, home));
    const TypeFacts& facts = FactsOf(type);
    auto form = std::make_shared<TypeForm>();
    form->type = {.id = facts.id,
                  .kind = std::string(facts.kind),
                  .namespaced = facts.namespaced,
                  .can_get = true,
                  .can_list = true,
                  .can_watch = true};
    form->list_kind = std::string(facts.kind) + "List";
    form->type_prefix =
        fmt::format(R"("kind":"{}","apiVersion":"{}",)", facts.kind, facts.id.ApiVersion());
    form->fields = made.fields;
    ObjectTree tree;
    for (size_t i = 0; i < PopulationOf(type); ++i) {
      WriteObject(made, i);
      tree.Put(ReadObject(made));
    }
    made.cache.Reset(std::move(form), std::move(tree), Revision{made.revision});
    made.cache.SetState(CacheState::kSynced);
    for (const auto& worker : workers_) {
      made.replicas.push_back(Replica::Make(*worker, std::make_shared<NoProofs>(), {}));
      made.cache.Subscribe(made.replicas.back());
    }
  }
  RunReady();
}

SimulatedProcess::~SimulatedProcess() {
  watchers_.clear();
  for (const auto& type : types_) {
    for (const auto& replica : type->replicas) type->cache.Unsubscribe(replica.get());
  }
  RunReady();
}

size_t SimulatedProcess::PopulationOf(Type type) const {
  switch (type) {
    case Type::kPods:
      return shape_.nodes * shape_.pods_per_node;
    case Type::kNodes:
    case Type::kLeases:
      return shape_.nodes;
    case Type::kServices:
    case Type::kEndpointSlices:
      return shape_.services;
    case Type::kNamespaces:
      return shape_.namespaces;
    case Type::kConfigMaps:
    case Type::kSecrets:
      return 0;
    default:
      return 1;
  }
}

// What upstream would send of object `index` now, and room for the scanner behind it.
void SimulatedProcess::WriteObject(TypeState& type, size_t index) const {
  const TypeFacts& facts = FactsOf(type.type);
  const ObjectName of = NameOf(type.type, shape_, index);
  std::string& text = type.text;
  text = fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{{"name":"{}",)", facts.kind,
                     facts.id.ApiVersion(), of.name);
  if (!of.space.empty()) text += fmt::format(R"("namespace":"{}",)", of.space);
  text += fmt::format(
      R"("uid":"7c3f5a52-8f1e-4c5e-9d55-{:012x}","resourceVersion":"{}","labels":{{"app":"web"}}}})",
      index, type.revision);
  if (type.type == Type::kPods)
    text += fmt::format(R"(,"spec":{{"nodeName":"{}"}})", NodeName(index % shape_.nodes));
  text += R"(,"data":")";
  constexpr std::string_view kEnd = "\"}";
  const size_t now = text.size() + kEnd.size();
  if (now < facts.object_bytes) text.append(facts.object_bytes - now, 'x');
  text += kEnd;
  type.text_size = text.size();
  text.append(MetadataScanner::kPadding, ' ');
}

ObjectRef SimulatedProcess::ReadObject(TypeState& type) {
  return Object::Make(
      type.scanner.Scan(std::string_view(type.text).substr(0, type.text_size)).value());
}

SimulatedProcess::Begun SimulatedProcess::Begin(const WatchKind& kind) {
  TypeState& type = state(kind.type);
  const double resident = ResidentBytes();
  const double before = CpuSeconds();
  for (size_t holder = 0; holder < kind.holders; ++holder) {
    const size_t worker = WorkerOf(kind.component, holder) % workers_.size();
    for (size_t i = 0; i < kind.each; ++i) {
      WatchSpec spec;
      spec.filter = FilterOf(kind, shape_, holder, i);
      spec.from = Revision{type.revision};
      spec.bookmarks = true;
      spec.deadline = workers_[worker]->Now() + std::chrono::hours(1);
      watchers_.push_back(type.replicas[worker]->Watch(std::move(spec), *sink_));
      watchers_.back()->OnWritable();
    }
  }
  Begun begun;
  begun.cpu_seconds = CpuSeconds() - before;
  begun.watches = kind.count();
  begun.resident_bytes = ResidentBytes() - resident;
  return begun;
}

size_t SimulatedProcess::Pick(Event event) {
  const size_t next = picked_++ * kStride;
  const size_t named = shape_.nodes * shape_.config_maps_per_node;
  if (event == Event::kForeignConfigMap) return named + next % 1000;
  if (event == Event::kOwnConfigMap) return named == 0 ? 0 : next % named;
  return next % std::max<size_t>(PopulationOf(TypeOf(event)), 1);
}

SimulatedProcess::Cost SimulatedProcess::Change(Event event, size_t events) {
  TypeState& type = state(TypeOf(event));
  const WatchCounters before = Counters();
  Cost cost;
  for (size_t i = 0; i < events; ++i) {
    ++type.revision;
    WriteObject(type, Pick(event));
    const double begun = CpuSeconds();
    if (!type.cache.Apply(false, ReadObject(type)).ok()) return cost;
    type.cache.Publish();
    const double published = CpuSeconds();
    RunReady();
    cost.home_seconds += published - begun;
    cost.worker_seconds += CpuSeconds() - published;
    ++cost.events;
  }
  const WatchCounters after = Counters();
  cost.evaluations = after.evaluations - before.evaluations;
  cost.recipients = after.frames - before.frames;
  cost.gathers = after.gathers - before.gathers;
  cost.bytes = after.bytes - before.bytes;
  return cost;
}

SimulatedProcess::Cost SimulatedProcess::BookmarkMinute() {
  const WatchCounters before = Counters();
  const double begun = CpuSeconds();
  ManualExecutor::Advance(all_, kMinute);
  Cost cost;
  cost.worker_seconds = CpuSeconds() - begun;
  const WatchCounters after = Counters();
  cost.events = after.bookmarks - before.bookmarks;
  cost.recipients = after.frames - before.frames;
  cost.gathers = after.bookmarks_encoded - before.bookmarks_encoded;
  cost.bytes = after.bytes - before.bytes;
  return cost;
}

size_t SimulatedProcess::objects() const {
  size_t count = 0;
  for (const Type type : kAllTypes) count += PopulationOf(type);
  return count;
}

WatchCounters SimulatedProcess::Counters() const {
  WatchCounters sum;
  for (const auto& type : types_) {
    for (const auto& replica : type->replicas) {
      const WatchCounters of = replica->counters();
      sum.evaluations += of.evaluations;
      sum.frames += of.frames;
      sum.bytes += of.bytes;
      sum.gathers += of.gathers;
      sum.bookmarks += of.bookmarks;
      sum.bookmarks_encoded += of.bookmarks_encoded;
    }
  }
  return sum;
}

void SimulatedProcess::RunReady() {
  ManualExecutor::RunReady(std::span<ManualExecutor* const>(all_));
}

}  // namespace weir::scale
