// Replicas that say what the test wants, on admin ports of their own.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "proxy/admin/admin_server.h"
#include "proxy/config/values.h"
#include "proxy/rebalance/replica_load.h"

namespace weir {

class FakeReplica {
 public:
  explicit FakeReplica(uint64_t connections, bool ready = true, std::string instance = "")
      : load_{instance.empty() ? NewInstance() : std::move(instance), connections, 0, ready} {
    AdminSources sources;
    sources.rebalancez = [this] {
      ++asked;
      const std::lock_guard lock(mutex_);
      return ToJson(load_);
    };
    server_ = AdminServer::Start("127.0.0.1", 0, std::move(sources)).value();
  }

  void Set(uint64_t connections) {
    const std::lock_guard lock(mutex_);
    load_.connections = connections;
  }
  const std::string& instance() const { return load_.instance; }
  HostPort address() const { return {"127.0.0.1", server_->port()}; }
  std::string name() const { return "127.0.0.1:" + std::to_string(server_->port()); }

  std::atomic<int> asked{0};

 private:
  std::mutex mutex_;
  ReplicaLoad load_;
  std::unique_ptr<AdminServer> server_;
};

}  // namespace weir
