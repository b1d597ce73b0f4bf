// The objects that the simulator starts with, and new ones of the same kind for churn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/sim/store.h"
#include "bench/sim/text_template.h"
#include "protocol/base/status.h"

namespace weir::sim {

struct Sizes {
  size_t nodes = 10;
  size_t pods_per_node = 10;
  size_t namespaces = 4;  // Beside default, kube-system, kube-public and kube-node-lease.
  size_t services = 20;
  size_t configmaps = 50;
  size_t secrets = 10;
  size_t crontabs = 10;
};

// Deterministic in its seed but for the times. Thread-affine.
class Population {
 public:
  Population(Store& store, Sizes sizes, uint64_t seed);

  // All types and all objects; history begins behind them.
  Status Fill();
  // Adds one pod on a random node. Returns its key.
  StatusOr<std::string> AddPod();
  // For `extension-apiserver-authentication`, where delegating servers look for them.
  Status PublishCertificateAuthority(std::string_view pem);

  // Of the pods that Fill() made; once.
  std::vector<std::string> TakePodKeys() { return std::exchange(pod_keys_, {}); }
  std::mt19937_64& random() { return random_; }
  std::string NewUid();

 private:
  Status Put(std::string_view group, std::string_view resource, const TextTemplate& form,
             TextTemplate::Values values);
  Status AddNamespaces();
  Status AddNode(size_t index);
  Status AddService(size_t index);
  Status AddConfiguration();
  Status AddCustomResources();
  Status AddApiServices();
  StatusOr<std::string> AddPodOn(size_t node);
  std::string Suffix(size_t length);
  std::string Endpoints(std::string_view namespace_name, size_t count);

  Store& store_;
  const Sizes sizes_;
  std::mt19937_64 random_;
  std::vector<std::string> namespaces_;  // Where pods live.
  std::vector<std::string> pod_keys_;
  std::vector<std::string> node_uids_;
  size_t pods_made_ = 0;

  const TextTemplate pod_, node_, service_, slice_, endpoint_, lease_, configmap_, secret_,
      namespace_form_, crontab_, crd_, api_service_;
};

// Now, as Kubernetes writes it: "2026-07-23T10:00:00Z", and with microseconds.
std::string TimeText();
std::string MicroTimeText();

TypeSpec CronTabSpec();

}  // namespace weir::sim
