// Finds the replicas behind names, and asks each how much it has to carry.
#pragma once

#include <string>
#include <vector>

#include "proxy/config/values.h"
#include "proxy/net/worker.h"
#include "proxy/rebalance/replica_load.h"

namespace weir {

struct ReplicaAnswers {
  // Each replica once, however many names and addresses it has; the one that asks is among them.
  std::vector<ReplicaLoad> replicas;
  struct Silent {
    HostPort name;
    std::string why;  // Of one of its addresses.
  };
  std::vector<Silent> silent;  // Names of which nobody gave an answer that is one.
};

// Looks all names up; every address of theirs is a replica's admin port, which is asked for
// /rebalancez in plain HTTP, believed, and nowhere followed to. Thread-affine to the worker.
//
// Bounds: `timeout` for each look-up and for each answer, kMaxLoadAnswer bytes, 8 at once, and 256
// addresses in all: of more replicas these are a sample.
Async<ReplicaAnswers> AskReplicas(Worker& worker, std::vector<HostPort> names,
                                  Duration timeout = std::chrono::seconds(2));

}  // namespace weir
