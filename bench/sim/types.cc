#include "bench/sim/types.h"

namespace weir::sim {
namespace {

struct Row {
  const char* group;
  const char* version;
  const char* resource;
  const char* kind;
  const char* singular;
  bool namespaced;
  bool status;
  std::vector<std::string> short_names = {};
  std::vector<std::string> categories = {};
};

std::vector<Row> Rows() {
  return {
      {"", "v1", "configmaps", "ConfigMap", "configmap", true, false, {"cm"}},
      {"", "v1", "events", "Event", "event", true, false, {"ev"}},
      {"", "v1", "namespaces", "Namespace", "namespace", false, true, {"ns"}},
      {"", "v1", "nodes", "Node", "node", false, true, {"no"}},
      {"", "v1", "pods", "Pod", "pod", true, true, {"po"}, {"all"}},
      {"", "v1", "secrets", "Secret", "secret", true, false},
      {"", "v1", "serviceaccounts", "ServiceAccount", "serviceaccount", true, false, {"sa"}},
      {"", "v1", "services", "Service", "service", true, true, {"svc"}, {"all"}},
      {"apps", "v1", "daemonsets", "DaemonSet", "daemonset", true, true, {"ds"}, {"all"}},
      {"apps", "v1", "deployments", "Deployment", "deployment", true, true, {"deploy"}, {"all"}},
      {"apps", "v1", "replicasets", "ReplicaSet", "replicaset", true, true, {"rs"}, {"all"}},
      {"coordination.k8s.io", "v1", "leases", "Lease", "lease", true, false},
      {"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "endpointslice", true, false},
      {"node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", "runtimeclass", false, false},
      {"storage.k8s.io", "v1", "csidrivers", "CSIDriver", "csidriver", false, false},
      {"networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR", "servicecidr", false, true},
      {"apiextensions.k8s.io",
       "v1",
       "customresourcedefinitions",
       "CustomResourceDefinition",
       "customresourcedefinition",
       false,
       true,
       {"crd", "crds"},
       {"api-extensions"}},
      {"apiregistration.k8s.io",
       "v1",
       "apiservices",
       "APIService",
       "apiservice",
       false,
       true,
       {},
       {"api-extensions"}},
  };
}

TypeSpec ToSpec(const Row& row) {
  TypeSpec spec;
  spec.id = {row.group, row.version, row.resource};
  spec.kind = row.kind;
  spec.singular = row.singular;
  spec.namespaced = row.namespaced;
  spec.status_subresource = row.status;
  spec.short_names = row.short_names;
  spec.categories = row.categories;
  return spec;
}

}  // namespace

const std::vector<TypeSpec>& BuiltInTypes() {
  static const auto* types = [] {
    auto* specs = new std::vector<TypeSpec>;
    for (const Row& row : Rows()) specs->push_back(ToSpec(row));
    return specs;
  }();
  return *types;
}

const std::vector<VirtualType>& VirtualTypes() {
  static const auto* types = new std::vector<VirtualType>{
      {{"authentication.k8s.io", "v1", "selfsubjectreviews"}, "SelfSubjectReview"},
      {{"authentication.k8s.io", "v1", "tokenreviews"}, "TokenReview"},
      {{"authorization.k8s.io", "v1", "localsubjectaccessreviews"}, "LocalSubjectAccessReview"},
      {{"authorization.k8s.io", "v1", "selfsubjectaccessreviews"}, "SelfSubjectAccessReview"},
      {{"authorization.k8s.io", "v1", "subjectaccessreviews"}, "SubjectAccessReview"},
  };
  return *types;
}

}  // namespace weir::sim
