#include "bench/sim/population.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "bench/sim/templates.h"

namespace weir::sim {
namespace {

constexpr size_t kEndpointsPerSlice = 20;
constexpr size_t kPodsPerOwner = 5;

std::string NodeName(size_t index) { return fmt::format("node-{:05}", index); }

std::string PodAddress(size_t number) {
  return fmt::format("10.{}.{}.{}", 128 + number / 65536 % 64, number / 256 % 256, number % 256);
}

std::string NodeAddress(size_t index) {
  return fmt::format("10.{}.{}.{}", 16 + index / 65536 % 64, index / 256 % 256, index % 256);
}

std::string FormatTime(std::chrono::system_clock::time_point now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", utc.tm_year + 1900, utc.tm_mon + 1,
                     utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

}  // namespace

std::string TimeText() { return FormatTime(std::chrono::system_clock::now()) + "Z"; }

std::string MicroTimeText() {
  const auto now = std::chrono::system_clock::now();
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch()).count();
  return fmt::format("{}.{:06}Z", FormatTime(now), micros % 1'000'000);
}

TypeSpec CronTabSpec() {
  TypeSpec spec;
  spec.id = {"stable.example.com", "v1", "crontabs"};
  spec.kind = "CronTab";
  spec.singular = "crontab";
  spec.custom = true;
  spec.short_names = {"ct"};
  return spec;
}

Population::Population(Store& store, Sizes sizes, uint64_t seed)
    : store_(store),
      sizes_(sizes),
      random_(seed),
      pod_(kPodTemplate),
      node_(kNodeTemplate),
      service_(kServiceTemplate),
      slice_(kEndpointSliceTemplate),
      endpoint_(kEndpointTemplate),
      lease_(kLeaseTemplate),
      configmap_(kConfigMapTemplate),
      secret_(kSecretTemplate),
      namespace_form_(kNamespaceTemplate),
      crontab_(kCronTabTemplate),
      crd_(kCronTabCrd),
      api_service_(kApiServiceTemplate) {}

std::string Population::NewUid() {
  const uint64_t a = random_();
  const uint64_t b = random_();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, a >> 16 & 0xFFFF, a & 0xFFF,
                     (b >> 48 & 0x3FFF) | 0x8000, b & 0xFFFFFFFFFFFF);
}

std::string Population::Suffix(size_t length) {
  // Kubernetes' alphabet of generated names: no vowels, so no words.
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text;
  for (size_t i = 0; i < length; ++i) text += kAlphabet[random_() % kAlphabet.size()];
  return text;
}

Status Population::Put(std::string_view group, std::string_view resource, const TextTemplate& form,
                       TextTemplate::Values values) {
  const auto collection = store_.Find(group, "v1", resource);
  if (collection == nullptr) return Internal("no such type");
  return store_.Put(*collection, form.Fill(values)).status();
}

Status Population::Fill() {
  for (const TypeSpec& spec : BuiltInTypes()) store_.Add(spec);
  store_.Add(CronTabSpec());
  WEIR_TRY(AddNamespaces());
  for (size_t i = 0; i < sizes_.nodes; ++i) WEIR_TRY(AddNode(i));
  for (size_t i = 0; i < sizes_.nodes * sizes_.pods_per_node; ++i) {
    WEIR_ASSIGN_OR_RETURN(std::string key, AddPodOn(i % sizes_.nodes));
    pod_keys_.push_back(std::move(key));
  }
  for (size_t i = 0; i < sizes_.services; ++i) WEIR_TRY(AddService(i));
  WEIR_TRY(AddConfiguration());
  WEIR_TRY(AddCustomResources());
  WEIR_TRY(AddApiServices());
  store_.Compact();
  return OkStatus();
}

Status Population::AddNamespaces() {
  namespaces_ = {"default", "kube-system"};
  for (size_t i = 0; i < sizes_.namespaces; ++i) namespaces_.push_back(fmt::format("team-{}", i));
  std::vector<std::string> all = namespaces_;
  all.insert(all.end(), {"kube-public", "kube-node-lease"});
  for (const std::string& name : all) {
    WEIR_TRY(Put("", "namespaces", namespace_form_,
                 {{"NAME", name},
                  {"UID", NewUid()},
                  {"REVISION", std::to_string(store_.next_revision())},
                  {"TIME", TimeText()}}));
  }
  return OkStatus();
}

Status Population::AddNode(size_t index) {
  const std::string name = NodeName(index);
  const std::string uid = NewUid();
  const char zone[] = {static_cast<char>('a' + index % 3), '\0'};
  node_uids_.push_back(uid);
  WEIR_TRY(Put("", "nodes", node_,
               {{"NAME", name},
                {"UID", uid},
                {"REVISION", std::to_string(store_.next_revision())},
                {"TIME", TimeText()},
                {"ZONE", zone},
                {"CIDR", fmt::format("10.{}.{}.0/24", 128 + index / 256 % 64, index % 256)},
                {"IP", NodeAddress(index)}}));
  return Put("coordination.k8s.io", "leases", lease_,
             {{"NAME", name},
              {"NAMESPACE", "kube-node-lease"},
              {"UID", NewUid()},
              {"OWNER", uid},
              {"REVISION", std::to_string(store_.next_revision())},
              {"TIME", TimeText()},
              {"MICROTIME", MicroTimeText()}});
}

StatusOr<std::string> Population::AddPod() {
  if (sizes_.nodes == 0) return FailedPrecondition("no nodes");
  return AddPodOn(random_() % sizes_.nodes);
}

StatusOr<std::string> Population::AddPodOn(size_t node) {
  const size_t number = pods_made_++;
  const size_t owner = number / kPodsPerOwner;
  const std::string& namespace_name = namespaces_[owner % namespaces_.size()];
  const std::string app = fmt::format("app-{}", owner % 997);
  const std::string hash = fmt::format("{:x}", (owner + 1) * 2654435761u & 0xFFFFFFFF);
  const std::string owner_name = app + "-" + hash;
  const std::string name = owner_name + "-" + Suffix(5);
  const std::string owner_uid =
      fmt::format("{:08x}-0000-4000-8000-{:012x}", owner & 0xFFFFFFFF, owner);
  WEIR_TRY(Put("", "pods", pod_,
               {{"NAME", name},
                {"NAMESPACE", namespace_name},
                {"UID", NewUid()},
                {"REVISION", std::to_string(store_.next_revision())},
                {"TIME", TimeText()},
                {"APP", app},
                {"HASH", hash},
                {"TIER", owner % 3 == 0 ? "backend" : "frontend"},
                {"OWNERNAME", owner_name},
                {"OWNER", owner_uid},
                {"NODE", NodeName(node)},
                {"HOSTIP", NodeAddress(node)},
                {"IP", PodAddress(number)},
                {"SUFFIX", Suffix(5)}}));
  return namespace_name + "/" + name;
}

std::string Population::Endpoints(std::string_view namespace_name, size_t count) {
  const auto pods = store_.Find("", "v1", "pods");
  const std::string prefix = std::string(namespace_name) + "/";
  const size_t node_field = *pods->form()->fields->Find("spec.nodeName");
  std::string text;
  for (auto at = pods->tree().LowerBound(prefix);
       at.Valid() && at->key().starts_with(prefix) && count > 0; at.Next(), --count) {
    if (!text.empty()) text += ',';
    text += endpoint_.Fill({{"IP", PodAddress(random_() % 65536)},
                            {"NAMESPACE", namespace_name},
                            {"NAME", at->name()},
                            {"UID", at->uid()},
                            {"NODE", at->field(node_field)}});
  }
  return text;
}

Status Population::AddService(size_t index) {
  const std::string& namespace_name = namespaces_[index % namespaces_.size()];
  const std::string name = fmt::format("app-{}", index);
  const std::string uid = NewUid();
  WEIR_TRY(Put("", "services", service_,
               {{"NAME", name},
                {"NAMESPACE", namespace_name},
                {"UID", uid},
                {"REVISION", std::to_string(store_.next_revision())},
                {"TIME", TimeText()},
                {"IP", fmt::format("10.96.{}.{}", index / 256 % 256, index % 256)}}));
  return Put("discovery.k8s.io", "endpointslices", slice_,
             {{"NAME", name + "-" + Suffix(5)},
              {"NAMESPACE", namespace_name},
              {"SERVICE", name},
              {"UID", NewUid()},
              {"OWNER", uid},
              {"REVISION", std::to_string(store_.next_revision())},
              {"TIME", TimeText()},
              {"ENDPOINTS", Endpoints(namespace_name, kEndpointsPerSlice)}});
}

Status Population::AddConfiguration() {
  for (const bool secret : {false, true}) {
    for (size_t i = 0; i < (secret ? sizes_.secrets : sizes_.configmaps); ++i) {
      WEIR_TRY(Put("", secret ? "secrets" : "configmaps", secret ? secret_ : configmap_,
                   {{"NAME", fmt::format("{}-{}", secret ? "secret" : "config", i)},
                    {"NAMESPACE", namespaces_[i % namespaces_.size()]},
                    {"UID", NewUid()},
                    {"REVISION", std::to_string(store_.next_revision())},
                    {"TIME", TimeText()}}));
    }
  }
  return OkStatus();
}

Status Population::AddCustomResources() {
  WEIR_TRY(Put("apiextensions.k8s.io", "customresourcedefinitions", crd_,
               {{"UID", NewUid()},
                {"REVISION", std::to_string(store_.next_revision())},
                {"TIME", TimeText()}}));
  for (size_t i = 0; i < sizes_.crontabs; ++i) {
    WEIR_TRY(Put("stable.example.com", "crontabs", crontab_,
                 {{"NAME", fmt::format("cron-{}", i)},
                  {"NAMESPACE", namespaces_[i % namespaces_.size()]},
                  {"UID", NewUid()},
                  {"REVISION", std::to_string(store_.next_revision())},
                  {"TIME", TimeText()}}));
  }
  return OkStatus();
}

Status Population::AddApiServices() {
  std::vector<std::pair<std::string, std::string>> versions;
  for (const auto& [id, collection] : store_.collections())
    versions.emplace_back(id.group, id.version);
  for (const VirtualType& type : VirtualTypes())
    versions.emplace_back(type.id.group, type.id.version);
  std::sort(versions.begin(), versions.end());
  versions.erase(std::unique(versions.begin(), versions.end()), versions.end());
  for (const auto& [group, version] : versions) {
    WEIR_TRY(Put("apiregistration.k8s.io", "apiservices", api_service_,
                 {{"NAME", version + "." + group},
                  {"GROUP", group},
                  {"VERSION", version},
                  {"UID", NewUid()},
                  {"REVISION", std::to_string(store_.next_revision())},
                  {"TIME", TimeText()}}));
  }
  return OkStatus();
}

Status Population::PublishCertificateAuthority(std::string_view pem) {
  JsonObject data;
  data["client-ca-file"] = pem;
  data["requestheader-allowed-names"] = R"(["front-proxy-client"])";
  data["requestheader-client-ca-file"] = pem;
  data["requestheader-extra-headers-prefix"] = R"(["X-Remote-Extra-"])";
  data["requestheader-group-headers"] = R"(["X-Remote-Group"])";
  data["requestheader-uid-headers"] = R"(["X-Remote-Uid"])";
  data["requestheader-username-headers"] = R"(["X-Remote-User"])";
  JsonObject object;
  JsonObject& metadata = ObjectAt(object, "metadata");
  metadata["name"] = "extension-apiserver-authentication";
  metadata["namespace"] = "kube-system";
  metadata["uid"] = NewUid();
  metadata["creationTimestamp"] = TimeText();
  object["data"] = std::move(data);
  const auto configmaps = store_.Find("", "v1", "configmaps");
  return store_.PutJson(*configmaps, Json(std::move(object))).status();
}

}  // namespace weir::sim
