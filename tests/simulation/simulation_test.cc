// The whole cache layer on one thread, one clock and one seed: registry, discovery, feeds, proofs,
// replicas on three workers and about a hundred clients, over an API server that fails in every way
// it can.
//
//   WEIR_SIM_SEED=n   replays one seed and says what happened
//   WEIR_SIM_RUNS=n   runs that many seeds (1000)

#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "cache/registry.h"
#include "protocol/base/log.h"
#include "tests/fakes/fake_api_server.h"
#include "tests/fakes/manual_executor.h"
#include "tests/simulation/client.h"
#include "tests/simulation/world.h"

namespace weir::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kWorkers = 3;
constexpr int kRounds = 200;

class Simulation {
 public:
  Simulation(uint64_t seed, Tally& tally) : random_(seed), server_(seed * 31 + 7), tally_(tally) {
    MakeServer();
    MakeRegistry(seed);
    MakeClients();
  }

  ~Simulation() {
    for (const auto& client : clients_) client->Leave();
    registry_.reset();
    Drain();
    for (const auto& executor : executors_) executor->Shutdown();
  }

  std::vector<std::string> Run() {
    for (int round = 0; round < kRounds && findings_.texts.empty(); ++round) Round();
    Settle();
    return findings_.texts;
  }

 private:
  uint64_t Pick(uint64_t below) { return random_() % below; }
  bool Chance(double p) { return std::uniform_real_distribution<>(0, 1)(random_) < p; }
  static std::string Name(std::string_view prefix, uint64_t n) {
    return fmt::format("{}-{}", prefix, n);
  }

  Encoding JsonOr(Encoding other) { return Chance(0.5) ? Encoding::kJson : other; }

  void MakeServer() {
    for (const ResourceType& type : {Pods(), Leases(), Crds(), ApiServices()}) server_.Serve(type);
    const ResourceType events = FakeType("", "v1", "events", "Event");
    server_.Serve(events);
    server_.Serve(CronTabs(), true);
    server_.Put(Crds().id, "", "crontabs.stable.example.com", {.generation = 1});
    server_.Put(ApiServices().id, "", "v1.stable.example.com", {});
    truths_.reserve(2);
    truths_.push_back({.type = Pods(), .encoding = JsonOr(Encoding::kProtobuf)});
    const uint64_t second = Pick(5);
    if (second < 2) {
      truths_.push_back({.type = CronTabs(), .encoding = JsonOr(Encoding::kProtobufMetadata)});
    } else if (second < 4) {
      truths_.push_back(
          {.type = Chance(0.5) ? Leases() : events, .encoding = JsonOr(Encoding::kProtobuf)});
    } else {  // Two feeds of one type.
      const bool json = truths_[0].encoding == Encoding::kJson;
      truths_.push_back({.type = Pods(), .encoding = json ? Encoding::kProtobuf : Encoding::kJson});
    }
    for (int i = 0; i < 20; ++i) Write();
    if (Chance(0.5)) server_.SetEndpointLags({Duration(0), milliseconds(Pick(300))});
    // Rare faults in some runs, and none in a few.
    deaf_ = Chance(0.1);
    const double badness = Chance(0.15) ? 0 : 0.01 + 0.04 * static_cast<double>(Pick(3));
    FakeApiServer::Chaos chaos;
    chaos.no_connection = chaos.error = badness;
    chaos.hang = badness / 4;
    chaos.cut = badness;
    chaos.deaf = deaf_ ? 0.1 : 0;
    chaos.duplicate = chaos.reorder = Chance(0.3) ? 0.01 : 0;
    chaos.expire = badness / 4;
    chaos.split = 0.1;
    chaos.apart = Chance(0.5) ? 0.2 : 0;
    chaos.latency = milliseconds(1 + Pick(80));
    chaos_ = chaos;
    restores_ = Chance(0.3);
  }

  void MakeRegistry(uint64_t seed) {
    std::vector<Registry::Worker> workers;
    for (size_t i = 0; i < kWorkers; ++i) {
      executors_.push_back(std::make_unique<ManualExecutor>());
      ManualExecutor* const executor = executors_.back().get();
      workers.push_back({executor, [this, executor] { return server_.Connect(*executor); }});
    }
    Registry::Options options;
    options.seed = seed + 1;
    options.page_size = 1 + Pick(30);
    options.strict_resync = Chance(0.1);
    options.log.log_min_bytes = size_t{1} << (10 + Pick(8));
    options.log.log_share = 0.1;
    options.log.window = seconds(1 + Pick(60));
    options.reads.bookmark_interval = milliseconds(1000 + Pick(15000));
    registry_ = Registry::Make(std::move(options), std::move(workers));
    Drain();
    server_.SetChaos(chaos_);
  }

  void MakeClients() {
    const size_t count = 20 + Pick(100);
    for (size_t i = 0; i < count; ++i) {
      TypeTruth& truth = truths_[Pick(truths_.size())];
      Wanted wanted;
      if (Chance(0.4)) wanted.namespace_ = Name("ns", Pick(3));
      if (Chance(0.4)) wanted.label = Name("app", Pick(3));
      if (truth.type.id == Pods().id && Chance(0.4)) wanted.node = Name("node", Pick(4));
      clients_.push_back(std::make_unique<Client>(
          static_cast<int>(i), random_(), Pick(kWorkers), std::move(wanted), Chance(0.3), truth,
          server_, *registry_, [this] { Learn(); }, findings_, tally_));
    }
  }

  void Write() {
    const TypeTruth& truth = truths_[Pick(truths_.size())];
    const std::string name_space = Name("ns", Pick(3));
    const std::string name = Name("obj", Pick(15));
    if (truth.uncached() && Chance(0.1)) return Expire(truth);
    if (Chance(0.3)) {
      server_.Delete(truth.type.id, name_space, name);
      return;
    }
    FakeApiServer::Fields fields;
    if (Chance(0.8)) fields.labels["app"] = Name("app", Pick(3));
    if (truth.type.id == Pods().id && Chance(0.8)) fields.node = Name("node", Pick(4));
    server_.Put(truth.type.id, name_space, name, std::move(fields));
  }

  // Some keys at one revision.
  void Expire(const TypeTruth& truth) {
    std::vector<std::string> keys;
    for (const auto& [key, stored] : server_.state(truth.type.id)) {
      if (Chance(0.3)) keys.push_back(key);
    }
    if (!keys.empty()) server_.DeleteTogether(truth.type.id, keys);
  }

  bool RestoreUnnoticed() const {
    for (const TypeTruth& truth : truths_) {
      if (truth.era % 2 == 1) return true;
    }
    return false;
  }

  void Round() {
    if (!RestoreUnnoticed()) {
      for (uint64_t i = Pick(4); i > 0; --i) Write();
      if (Chance(0.2)) server_.Touch();
      if (Chance(0.003)) {
        server_.Put(Crds().id, "", "crontabs.stable.example.com",
                    {.generation = static_cast<int64_t>(2 + Pick(100))});
      }
      if (restores_ && Chance(0.01)) Restore();
    }
    if (Chance(0.02)) server_.Compact(truths_[Pick(truths_.size())].type.id);
    if (chaos_.cut > 0 && Chance(0.01)) server_.CutStreams(Chance(0.5));
    if (Chance(0.01)) server_.EndStreams();
    for (size_t i = 0; i < 2 + clients_.size() / 5; ++i)
      clients_[Pick(clients_.size())]->Step(false);
    Advance(Chance(0.02) ? seconds(1 + Pick(4)) : milliseconds(Pick(60)));
  }

  // Each worker on its own for a while, in any order: as threads run.
  void Advance(Duration by) {
    while (by > Duration(0)) {
      const Duration step = std::min<Duration>(by, milliseconds(20));
      by -= step;
      std::vector<size_t> order(kWorkers);
      std::iota(order.begin(), order.end(), size_t{0});
      std::shuffle(order.begin(), order.end(), random_);
      for (const size_t worker : order) executors_[worker]->Advance(step);
      Poll();
    }
  }

  void Drain() {
    std::vector<ManualExecutor*> all;
    for (const auto& executor : executors_) all.push_back(executor.get());
    ManualExecutor::RunReady(all);
  }

  // Learns where the caches have resynchronised.
  void Learn() {
    const std::vector<FeedStatus> all = registry_->Status();
    for (TypeTruth& truth : truths_) {
      for (const FeedStatus& status : all) {
        if (status.id != truth.type.id || status.encoding != truth.encoding) continue;
        const uint64_t revision = status.revision.value;
        if (status.resyncs > truth.resyncs) {
          truth.gaps.push_back({TypeTruth::EpochOf(truth.era), truth.published, revision});
        }
        truth.resyncs = status.resyncs;
        truth.revision = revision;
        truth.published = status.published.value;
      }
    }
  }

  // And whether they have noticed a restore.
  void Poll() {
    Learn();
    for (TypeTruth& truth : truths_) {
      if (truth.era % 2 == 1 && truth.revision <= server_.revision().value) {
        Drain();
        ++truth.era;
        for (const auto& client : clients_) {
          if (client->Reads(truth)) client->OnRestoreNoticed();
        }
      }
    }
  }

  void Restore() {
    Drain();
    Poll();
    const uint64_t now = server_.revision().value;
    const uint64_t back = std::min<uint64_t>(now - 100, 1 + Pick(40));
    const Revision to{now - back};
    for (TypeTruth& truth : truths_) {
      const bool affected = truth.revision > to.value;
      for (const auto& client : clients_) {
        if (client->Reads(truth)) client->OnRestore(to.value, affected);
      }
      if (!affected) continue;
      truth.old_epochs.push_back(server_.history(truth.type.id));
      ++truth.era;
    }
    server_.Restore(to);
  }

  // Faults end, writes end; what is left must come right by itself.
  void Settle() {
    FakeApiServer::Chaos calm;
    calm.latency = milliseconds(5);
    server_.SetChaos(calm);
    const int rounds = deaf_ ? 800 : 180;
    for (int round = 0; round < rounds && findings_.texts.empty(); ++round) {
      if (round % 10 == 0 && !RestoreUnnoticed()) server_.Touch();
      for (const auto& client : clients_) client->Step(true);
      for (const auto& executor : executors_) executor->Advance(milliseconds(500));
      Poll();
    }
    if (!findings_.texts.empty()) return;
    if (RestoreUnnoticed()) findings_.Add("a restored etcd was never noticed");
    for (const FeedStatus& status : registry_->Status()) {
      if (status.state != CacheState::kSynced) {
        findings_.Add(fmt::format("{} has not recovered: {}", status.id.ToString(), status.reason));
      }
    }
    for (const auto& client : clients_) client->CheckSettled();
  }

  std::mt19937_64 random_;
  FakeApiServer server_;
  Tally& tally_;
  FakeApiServer::Chaos chaos_;
  bool deaf_ = false, restores_ = false;
  Findings findings_;
  std::vector<TypeTruth> truths_;
  std::vector<std::unique_ptr<ManualExecutor>> executors_;
  std::unique_ptr<Registry> registry_;
  std::vector<std::unique_ptr<Client>> clients_;
};

uint64_t Environment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(SimulationTest, EveryWatcherSeesEveryEventOnceInOrderOrIsToldThatItMissedSome) {
  Tally tally;
  const uint64_t only = Environment("WEIR_SIM_SEED", 0);
  const uint64_t runs = only != 0 ? 1 : Environment("WEIR_SIM_RUNS", 1000);
  // Feeds say at length what they suffer.
  if (only == 0) ConfigureLog(LogFormat::kText, -1);
  int failed = 0;
  for (uint64_t i = 0; i < runs && failed < 5; ++i) {
    const uint64_t seed = only != 0 ? only : i + 1;
    Simulation simulation(seed, tally);
    const std::vector<std::string> findings = simulation.Run();
    if (findings.empty()) continue;
    ++failed;
    ADD_FAILURE() << "WEIR_SIM_SEED=" << seed << ":\n  "
                  << fmt::format("{}", fmt::join(findings, "\n  "));
  }
  fmt::print(
      "events {} ({} in JSON, protobuf, protobuf metadata), bookmarks {}, expired {}, reads {} ({} "
      "most recent, {} exact), forwarded {}, "
      "resumed {} ({} lists elsewhere), clean ends {}\n",
      tally.events, fmt::join(tally.events_in, ", "), tally.bookmarks, tally.expired, tally.reads,
      tally.most_recent, tally.exact, tally.forwarded, tally.resumed, tally.elsewhere,
      tally.clean_ends);
  if (only == 0 && failed == 0) {
    for (const uint64_t events : tally.events_in) EXPECT_GT(events, runs * 100);
    EXPECT_GT(tally.expired, runs);
    EXPECT_GT(tally.most_recent, runs * 5);
    EXPECT_GT(tally.exact, runs);
    EXPECT_GT(tally.resumed, runs);
  }
}

}  // namespace
}  // namespace weir::simulation
