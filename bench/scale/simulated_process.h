// The caches and replicas of one process with several workers, and the watches of a whole cluster
// in them, through sinks that count. No sockets, no threads: each worker is a ManualExecutor, and
// all run on the caller's thread, whose own CPU time is what is measured.
//
//   Change() ─▶ Cache ──batch──▶ Replica of each worker ─▶ views ─▶ watchers ─▶ CountingSink
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/scale/node_plan.h"
#include "cache/cache.h"
#include "cache/replica.h"
#include "protocol/k8s/metadata_scan.h"
#include "tests/fakes/manual_executor.h"

namespace weir::scale {

// Resident memory of this process, after free memory has gone back; 0 where it cannot be read.
double ResidentBytes();

class SimulatedProcess {
 public:
  // Caches of all types with their objects, but for config maps and secrets, which come as they
  // change.
  SimulatedProcess(const ClusterShape& shape, size_t workers);
  ~SimulatedProcess();
  SimulatedProcess(const SimulatedProcess&) = delete;
  SimulatedProcess& operator=(const SimulatedProcess&) = delete;

  // What all watches of one kind took.
  struct Begun {
    size_t watches = 0;
    double resident_bytes = 0;
    double cpu_seconds = 0;
  };
  Begun Begin(const WatchKind& kind);

  // What `events` changes took, one batch each. Totals.
  struct Cost {
    size_t events = 0;
    uint64_t evaluations = 0;
    uint64_t recipients = 0;    // Frames that sinks got.
    uint64_t gathers = 0;       // Frames put together.
    uint64_t bytes = 0;         // To all sinks.
    double home_seconds = 0;    // Cache: scan, tree, log, publication.
    double worker_seconds = 0;  // All replicas together: dispatch, and sinks that only count.
  };
  Cost Change(Event event, size_t events);
  // A minute without events: one bookmark for each watch.
  Cost BookmarkMinute();

  size_t watches() const { return watchers_.size(); }
  size_t objects() const;

 private:
  class CountingSink;
  struct TypeState;

  void WriteObject(TypeState& type, size_t index) const;
  static ObjectRef ReadObject(TypeState& type);
  TypeState& state(Type type) { return *types_[static_cast<size_t>(type)]; }
  WatchCounters Counters() const;
  size_t PopulationOf(Type type) const;
  // The object that the next such event changes.
  size_t Pick(Event event);
  void RunReady();

  const ClusterShape shape_;
  std::vector<std::unique_ptr<ManualExecutor>> workers_;
  std::vector<ManualExecutor*> all_;
  std::unique_ptr<CountingSink> sink_;
  std::vector<std::unique_ptr<TypeState>> types_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
  size_t picked_ = 0;
};

}  // namespace weir::scale
