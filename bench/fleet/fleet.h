// The whole fleet: workers, their informers, and the course of a run.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bench/fleet/informer.h"
#include "proxy/config/kubeconfig.h"

namespace weir::fleet {

struct FleetOptions {
  size_t nodes = 100;
  size_t workers = 1;
  size_t max_connections = 19'000;
  size_t sample_every = 20;  // One node in so many is decoded and checked; 0: none.
  std::chrono::seconds watch_timeout{300};
  double ramp_seconds = 2;
  double settle_seconds = 5;
  std::string time_annotation;
};

// Life cycle: Make(), Start(), then the caller waits, Finish(). From one thread.
class Fleet {
 public:
  // Asks the endpoint for the names of its nodes and config maps. InvalidArgument: more watches
  // than max_connections. Unavailable: no answer.
  static StatusOr<std::unique_ptr<Fleet>> Make(const UpstreamConfig& endpoint,
                                               const FleetOptions& options);
  ~Fleet();

  void Start();
  // Compares the sampled watchers with lists, ends all workers and returns what was counted, with
  // the time from Start() to Finish() in `elapsed`.
  Tally Finish(Duration& elapsed);

  size_t watches() const { return watches_; }

 private:
  struct Member {
    std::unique_ptr<Worker> worker;
    std::unique_ptr<Shared> shared;
    std::vector<std::unique_ptr<Informer>> informers;
  };

  Fleet() = default;
  Status Discover();
  Status Populate();
  void StartMember(Member& member);
  static Async<void> CheckAll(Member& member, std::atomic<size_t>& open);

  FleetOptions options_;
  std::shared_ptr<Upstream> upstream_;
  FirstSeen first_seen_;
  ClusterNames names_;
  std::vector<Member> members_;
  size_t watches_ = 0;
  TimePoint started_;
};

}  // namespace weir::fleet
