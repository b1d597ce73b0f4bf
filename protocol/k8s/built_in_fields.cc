// The selectable fields of built-in types, as kube-apiserver has them: which labels it accepts is
// in pkg/apis/*/*/conversion.go, and what they mean in GetAttrs of pkg/registry/**/strategy.go and
// storage.go. Field numbers are those of k8s.io/api/*/*/generated.proto. An upstream that is older
// than a label refuses it; Weir answers.
#include <algorithm>
#include <iterator>

#include "protocol/k8s/selectable_fields.h"

namespace weir {
namespace {

using Fields = std::vector<SelectableField>;
using Kind = SelectableField::Kind;

struct Row {
  std::string group, resource;
  std::vector<std::string> versions;  // That have these fields; of others, none is served.
  std::shared_ptr<const SelectableFields> fields, other_versions;
};

std::vector<std::string> Keys(std::string_view path) {
  std::vector<std::string> keys;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    keys.emplace_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return keys;
}

// Found at `path` in JSON, which is its label where not said.
SelectableField Field(std::string_view label, std::vector<uint32_t> numbers,
                      Kind kind = Kind::kString, std::string_view path = "") {
  SelectableField field;
  field.label = label;
  field.kind = kind;
  field.json_path = Keys(path.empty() ? label : path);
  field.proto_path = std::move(numbers);
  return field;
}

Fields OfPods() {
  Fields fields = {
      Field("spec.nodeName", {2, 10}),
      Field("spec.restartPolicy", {2, 3}),
      Field("spec.schedulerName", {2, 19}),
      Field("spec.serviceAccountName", {2, 8}),
      Field("spec.hostNetwork", {2, 11}, Kind::kBool),
      Field("status.phase", {3, 1}),
      // Upstream looks at podIPs[0], with which it keeps podIP in step (SetDefaults_PodStatus).
      Field("status.podIP", {3, 6}),
      Field("status.nominatedNodeName", {3, 11}),
  };
  fields[0].old_label = "spec.host";
  // Upstream accepts it and has no value for it.
  fields.emplace_back().label = "status.podIPs";
  return fields;
}

// Of the ObjectReference in field `number`.
Fields OfReference(const std::string& name, uint32_t number) {
  constexpr std::string_view kNames[] = {"kind",       "namespace",       "name",     "uid",
                                         "apiVersion", "resourceVersion", "fieldPath"};
  Fields fields;
  for (uint32_t i = 0; i < std::size(kNames); ++i) {
    fields.push_back(Field(name + "." + std::string(kNames[i]), {number, i + 1}));
  }
  return fields;
}

Fields OfCoreEvents() {
  Fields fields = OfReference("involvedObject", 2);
  fields.push_back(Field("reason", {3}));
  fields.push_back(Field("type", {9}));
  const size_t component = fields.size();
  fields.push_back(Field("reportingComponent", {14}));
  fields.push_back(Field("source", {5, 1}, Kind::kString, "source.component"));
  fields.back().fallback = component;
  return fields;
}

Fields OfEvents() {
  Fields fields = OfReference("regarding", 8);
  fields.push_back(Field("reason", {7}));
  fields.push_back(Field("type", {11}));
  fields.push_back(Field("reportingController", {4}));
  return fields;
}

Row Make(std::string group, std::string resource, std::vector<std::string> versions, Fields fields,
         bool by_namespace = true) {
  return {std::move(group), std::move(resource), std::move(versions),
          std::make_shared<const SelectableFields>(std::move(fields), by_namespace),
          std::make_shared<const SelectableFields>(Fields(), by_namespace)};
}

std::vector<Row> MakeRows() {
  constexpr bool kNotByNamespace = false;
  const std::string certificates = "certificates.k8s.io";
  return {
      Make("", "pods", {"v1"}, OfPods()),
      Make("", "nodes", {"v1"}, {Field("spec.unschedulable", {2, 4}, Kind::kBool)},
           kNotByNamespace),
      Make("", "namespaces", {"v1"}, {Field("status.phase", {3, 1})}, kNotByNamespace),
      Make("", "secrets", {"v1"}, {Field("type", {3})}),
      Make("", "services", {"v1"}, {Field("spec.clusterIP", {2, 3}), Field("spec.type", {2, 4})}),
      Make("", "replicationcontrollers", {"v1"}, {Field("status.replicas", {3, 1}, Kind::kNumber)}),
      Make("", "events", {"v1"}, OfCoreEvents()),
      Make("events.k8s.io", "events", {"v1", "v1beta1"}, OfEvents()),
      Make("batch", "jobs", {"v1"},
           {Field("status.successful", {3, 5}, Kind::kNumber, "status.succeeded")}),
      Make(certificates, "certificatesigningrequests", {"v1", "v1beta1"},
           {Field("spec.signerName", {2, 7})}, kNotByNamespace),
      Make(certificates, "clustertrustbundles", {"v1", "v1beta1", "v1alpha1"},
           {Field("spec.signerName", {2, 1})}, kNotByNamespace),
      // Not by their namespace, although they have one.
      Make(certificates, "podcertificaterequests", {"v1", "v1beta1"},
           {Field("spec.signerName", {2, 1}), Field("spec.podName", {2, 2}),
            Field("spec.nodeName", {2, 6})},
           kNotByNamespace),
      Make("resource.k8s.io", "resourceslices", {"v1", "v1beta1", "v1beta2"},
           {Field("spec.driver", {2, 1}), Field("spec.pool.name", {2, 2, 1}),
            Field("spec.nodeName", {2, 3})},
           kNotByNamespace),
  };
}

}  // namespace

std::shared_ptr<const SelectableFields> SelectableFields::BuiltIn(const ResourceId& id) {
  static const std::vector<Row> kRows = MakeRows();
  static const auto kNone = std::make_shared<const SelectableFields>();
  for (const Row& row : kRows) {
    if (row.resource != id.resource || row.group != id.group) continue;
    const auto& versions = row.versions;
    const bool known = std::find(versions.begin(), versions.end(), id.version) != versions.end();
    return known ? row.fields : row.other_versions;
  }
  return kNone;
}

}  // namespace weir
