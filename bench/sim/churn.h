// A cluster's everyday: pods change state, come and go, leases are renewed, endpoints flap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/sim/population.h"
#include "bench/sim/store.h"
#include "protocol/base/executor.h"

namespace weir::sim {

// Of a hundred events 55 change a pod's status, 25 renew a lease, 8 delete or create a pod, 6
// change a node and 6 an endpoint slice; what does not exist is left out. Thread-affine.
class Churn {
 public:
  // After Population::Fill().
  Churn(Store& store, Population& population)
      : store_(store), population_(population), pods_(population.TakePodKeys()) {}

  void SetRate(double events_per_second) { rate_ = events_per_second; }
  double rate() const { return rate_; }
  // Makes the events that are due `elapsed` after the last call, at most a second's worth.
  void Run(Duration elapsed);
  // One event now; of a pod only where `pods_only`.
  void Step(bool pods_only = false);
  uint64_t events() const { return events_; }

 private:
  void ChangePod();
  void ReplacePod();
  void RenewLease();
  void ChangeNode();
  void ChangeSlice();
  template <typename Edit>
  void Change(Collection& collection, std::string_view key, Edit edit);
  // A random object of the type, "" where there is none.
  std::string RandomKey(const Collection& collection);
  std::string RandomPod();

  Store& store_;
  Population& population_;
  double rate_ = 0;
  double due_ = 0;
  uint64_t events_ = 0;
  std::vector<std::string> pods_;  // Keys; some may have been deleted by clients.
};

}  // namespace weir::sim
