// Sends HTTP/2 clients of this replica to connect anew while it has more than its share of them.
//
//   every 5 s: /rebalancez of all replicas ─▶ share.h ─▶ a plan, or less of the one there is
//   ten times a second, while there is one: GOAWAY to some, on the workers that have most
//   after it: a pause, so that those who were told are somewhere before the next plan
//
// Where a plan has not helped, as the clients came back here, the next pause is twice as long.
//
// Replicas agree on nothing: each looks at all, and the one that has too much is the only one to
// act. Where its clients go then is the load balancer's to say.
//
// What peers say is believed, over plain HTTP: whoever can answer in a replica's place can make
// this one send away connections, down to none, at the rate of --rebalance-per-second, or keep it
// from sending any. Nothing else depends on it.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proxy/config/live_config.h"
#include "proxy/net/worker.h"
#include "proxy/rebalance/ask_replicas.h"
#include "proxy/rebalance/replica_load.h"
#include "proxy/rebalance/share.h"

namespace weir {

// It has a thread of its own: a name that nobody answers for holds up the system's resolver, and
// with it whoever else looks names up on the same worker.
class Rebalancer {
 public:
  // The rest of the process. Called on the rebalancer's thread; must be quick.
  struct Process {
    std::function<ReplicaLoad()> load;
    std::function<bool()> closing;  // No connection is sent away any more, but all.
    std::function<std::vector<size_t>()> connections;  // Of `load`, by worker.
    std::function<void(size_t worker, size_t count)> send_away;
  };

  // `config` and what `process` refers to outlive it. Each look follows the last one by `interval`,
  // give or take a fifth, so that replicas do not look in step.
  Rebalancer(const LiveConfig& config, Process process,
             Duration interval = std::chrono::seconds(5));
  // Joins the thread, if there is one; a look-up that is under way, too.
  ~Rebalancer();
  Rebalancer(const Rebalancer&) = delete;
  Rebalancer& operator=(const Rebalancer&) = delete;

  // Starts the thread once --rebalance-peers names somebody; from then on it follows the option,
  // also where that becomes empty again. Call it whenever the options have changed. Not
  // thread-safe.
  void Start();
  // Nothing is sent away and nothing of `process` called afterwards. Once, from the thread of
  // Start().
  void Stop();

 private:
  Async<void> Run();
  Async<void> Look();
  void Decide(const ReplicaLoad& mine, const std::vector<ReplicaLoad>& replicas);
  void Begin(const Share& share, size_t peers);
  void Rest();
  void SendSome();
  void WarnOf(const std::vector<ReplicaAnswers::Silent>& silent);

  const LiveConfig& config_;
  const Process process_;
  const Duration interval_;
  bool started_ = false;
  Worker worker_{0};

  // Of the worker's thread.
  std::optional<ShedPlan> plan_;
  uint64_t sent_ = 0;         // Since there is one.
  uint64_t last_excess_ = 0;  // That the last plan was for; 0: there was none, or it has helped.
  Duration pause_;            // After the plan that is, or was last.
  TimePoint next_plan_ = TimePoint::min();
  uint64_t tick_ = 0;
  TimePoint next_tick_ = TimePoint::min();
  TimePoint next_warning_ = TimePoint::min();
};

}  // namespace weir
