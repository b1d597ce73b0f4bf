#include "bench/sim/churn.h"

#include <algorithm>
#include <chrono>

namespace weir::sim {
namespace {

constexpr int kSearches = 8;

// The condition "Ready" in an object's status, or null.
JsonObject* ReadyCondition(JsonObject& object) {
  Json* conditions = ObjectAt(object, "status").if_contains("conditions");
  if (conditions == nullptr || !conditions->is_array()) return nullptr;
  for (Json& condition : conditions->get_array()) {
    if (TextAt(condition, {"type"}) == "Ready") return condition.if_object();
  }
  return nullptr;
}

JsonObject* FirstOf(JsonObject& object, std::string_view key) {
  Json* list = object.if_contains({key.data(), key.size()});
  if (list == nullptr || !list->is_array() || list->get_array().empty()) return nullptr;
  return list->get_array().front().if_object();
}

}  // namespace

void Churn::Run(Duration elapsed) {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  due_ = std::min(due_ + seconds * rate_, rate_);
  for (; due_ >= 1; due_ -= 1) Step();
}

void Churn::Step(bool pods_only) {
  const uint64_t dice = pods_only ? 0 : population_.random()() % 100;
  if (dice < 55) {
    ChangePod();
  } else if (dice < 80) {
    RenewLease();
  } else if (dice < 88) {
    ReplacePod();
  } else if (dice < 94) {
    ChangeNode();
  } else {
    ChangeSlice();
  }
  ++events_;
}

template <typename Edit>
void Churn::Change(Collection& collection, std::string_view key, Edit edit) {
  const ObjectRef object = key.empty() ? ObjectRef() : collection.tree().Find(key);
  if (!object) return;
  auto body = ParseJson(WholeObject(collection, *object));
  if (!body.ok() || !body->is_object()) return;
  edit(body->get_object());
  // Cannot fail: the object was valid before the edit.
  (void)store_.PutJson(collection, *std::move(body));
}

std::string Churn::RandomKey(const Collection& collection) {
  // Keys of the simulator's own objects end in numbers or random letters: a random start is random
  // enough.
  const ObjectTree& tree = collection.tree();
  if (tree.empty()) return {};
  auto at = tree.Begin();
  if (collection.spec().id.resource == "leases" || collection.spec().id.resource == "nodes") {
    const std::string name =
        "node-" + std::to_string(100000 + population_.random()() % tree.sums().objects).substr(1);
    at = tree.LowerBound(collection.spec().namespaced ? "kube-node-lease/" + name : name);
  } else {
    for (uint64_t steps = population_.random()() % std::min<uint64_t>(tree.sums().objects, 64);
         steps > 0; --steps) {
      at.Next();
    }
  }
  if (!at.Valid()) at = tree.Begin();
  return std::string(at->key());
}

std::string Churn::RandomPod() {
  const auto pods = store_.Find("", "v1", "pods");
  for (int search = 0; search < kSearches && !pods_.empty(); ++search) {
    const size_t index = population_.random()() % pods_.size();
    if (pods->tree().Find(pods_[index])) return pods_[index];
    pods_[index] = std::move(pods_.back());
    pods_.pop_back();
  }
  return {};
}

void Churn::ChangePod() {
  const auto pods = store_.Find("", "v1", "pods");
  Change(*pods, RandomPod(), [](JsonObject& pod) {
    JsonObject* ready = ReadyCondition(pod);
    JsonObject* container = FirstOf(ObjectAt(pod, "status"), "containerStatuses");
    if (ready == nullptr || container == nullptr) return;
    const bool was_ready = TextAt(Json((*ready)), {"status"}) == "True";
    (*ready)["status"] = was_ready ? "False" : "True";
    (*ready)["lastTransitionTime"] = TimeText();
    (*container)["ready"] = !was_ready;
    Json& restarts = (*container)["restartCount"];
    if (was_ready && restarts.is_int64()) restarts = restarts.get_int64() + 1;
  });
}

void Churn::ReplacePod() {
  const auto pods = store_.Find("", "v1", "pods");
  const std::string key = RandomPod();
  if (key.empty()) return;
  store_.Delete(*pods, key);
  if (auto made = population_.AddPod(); made.ok()) pods_.push_back(*std::move(made));
}

void Churn::RenewLease() {
  const auto leases = store_.Find("coordination.k8s.io", "v1", "leases");
  Change(*leases, RandomKey(*leases),
         [](JsonObject& lease) { ObjectAt(lease, "spec")["renewTime"] = MicroTimeText(); });
}

void Churn::ChangeNode() {
  const auto nodes = store_.Find("", "v1", "nodes");
  Change(*nodes, RandomKey(*nodes), [](JsonObject& node) {
    if (JsonObject* ready = ReadyCondition(node)) (*ready)["lastHeartbeatTime"] = MicroTimeText();
  });
}

void Churn::ChangeSlice() {
  const auto slices = store_.Find("discovery.k8s.io", "v1", "endpointslices");
  Change(*slices, RandomKey(*slices), [](JsonObject& slice) {
    JsonObject* endpoint = FirstOf(slice, "endpoints");
    if (endpoint == nullptr) return;
    JsonObject& conditions = ObjectAt(*endpoint, "conditions");
    const Json* ready = conditions.if_contains("ready");
    const bool was_ready = ready != nullptr && ready->is_bool() && ready->get_bool();
    conditions["ready"] = !was_ready;
    conditions["serving"] = !was_ready;
  });
}

}  // namespace weir::sim
