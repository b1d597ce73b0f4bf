#include "bench/micro/pod_bytes.h"

#include <fmt/format.h>

#include <string_view>

#include "protocol/k8s/proto_wire.h"

namespace weir::bench {
namespace {

constexpr std::string_view kManagedFields =
    R"({"f:metadata":{"f:generateName":{},"f:labels":{".":{},"f:app":{},"f:pod-template-hash":{}},"f:ownerReferences":{".":{},"k:{\"uid\":\"0b6f6f0c-5d5e-4a63-8f0e-4f1f5cd3a001\"}":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:image":{},"f:name":{},"f:resources":{".":{},"f:requests":{".":{},"f:cpu":{},"f:memory":{}}}}},"f:restartPolicy":{}}})";

struct Names {
  explicit Names(size_t index)
      : name(fmt::format("web-6d4b75cb6d-{:06}", index)),
        space(fmt::format("tenant-{:03}", index % 100)),
        node(fmt::format("node-{:05}", index % 5000)),
        uid(fmt::format("7c3f5a52-8f1e-4c5e-9d55-{:012x}", index)) {}
  std::string name, space, node, uid;
};

std::string JsonPod(size_t index, uint64_t revision, bool typed) {
  const Names of(index);
  std::string out = typed ? R"({"kind":"Pod","apiVersion":"v1",)" : "{";
  fmt::format_to(
      std::back_inserter(out),
      R"("metadata":{{"name":"{}","generateName":"web-6d4b75cb6d-","namespace":"{}","uid":"{}","resourceVersion":"{}","generation":1,"creationTimestamp":"2026-11-02T10:11:12Z","labels":{{"app":"web","pod-template-hash":"6d4b75cb6d"}},"ownerReferences":[{{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"web-6d4b75cb6d","uid":"0b6f6f0c-5d5e-4a63-8f0e-4f1f5cd3a001","controller":true,"blockOwnerDeletion":true}}],"managedFields":[{{"manager":"kube-controller-manager","operation":"Update","apiVersion":"v1","time":"2026-11-02T10:11:12Z","fieldsType":"FieldsV1","fieldsV1":{}}}]}})",
      of.name, of.space, of.uid, revision, kManagedFields);
  fmt::format_to(
      std::back_inserter(out),
      R"(,"spec":{{"containers":[{{"name":"main","image":"registry.example.com/team/web:1.2.3","env":[{{"name":"SETTING_00","value":"a value of some length"}},{{"name":"SETTING_01","value":"a value of some length"}},{{"name":"SETTING_02","value":"a value of some length"}}],"resources":{{"requests":{{"cpu":"100m","memory":"128Mi"}}}},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent"}}],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","nodeName":"{}","securityContext":{{}},"schedulerName":"default-scheduler","priority":0}},"status":{{"phase":"Running","conditions":[{{"type":"Ready","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-02T10:11:15Z"}},{{"type":"PodScheduled","status":"True","lastProbeTime":null,"lastTransitionTime":"2026-11-02T10:11:12Z"}}],"hostIP":"10.0.0.1","podIP":"10.1.0.1","startTime":"2026-11-02T10:11:12Z"}}}})",
      of.node);
  return out;
}

std::string Time(uint64_t seconds) {
  std::string out;
  AppendVarintField(out, 1, seconds);
  AppendVarintField(out, 2, 0);
  return out;
}

std::string Entry(std::string_view key, std::string_view value) {
  std::string out;
  AppendBytesField(out, 1, key);
  AppendBytesField(out, 2, value);
  return out;
}

std::string Owner() {
  std::string out;
  AppendBytesField(out, 1, "ReplicaSet");
  AppendBytesField(out, 3, "web-6d4b75cb6d");
  AppendBytesField(out, 4, "0b6f6f0c-5d5e-4a63-8f0e-4f1f5cd3a001");
  AppendBytesField(out, 5, "apps/v1");
  AppendVarintField(out, 6, 1);
  AppendVarintField(out, 7, 1);
  return out;
}

std::string Managed() {
  std::string fields, out;
  AppendBytesField(fields, 1, kManagedFields);
  AppendBytesField(out, 1, "kube-controller-manager");
  AppendBytesField(out, 2, "Update");
  AppendBytesField(out, 3, "v1");
  AppendBytesField(out, 4, Time(1793614272));
  AppendBytesField(out, 6, "FieldsV1");
  AppendBytesField(out, 7, fields);
  AppendBytesField(out, 8, "");
  return out;
}

std::string ProtoMetadata(const Names& of, uint64_t revision) {
  std::string out;
  AppendBytesField(out, 1, of.name);
  AppendBytesField(out, 2, "web-6d4b75cb6d-");
  AppendBytesField(out, 3, of.space);
  AppendBytesField(out, 4, "");
  AppendBytesField(out, 5, of.uid);
  AppendBytesField(out, 6, std::to_string(revision));
  AppendVarintField(out, 7, 1);
  AppendBytesField(out, 8, Time(1793614272));
  AppendBytesField(out, 11, Entry("app", "web"));
  AppendBytesField(out, 11, Entry("pod-template-hash", "6d4b75cb6d"));
  AppendBytesField(out, 13, Owner());
  AppendBytesField(out, 17, Managed());
  return out;
}

std::string ProtoSpec(const Names& of) {
  // Protobuf says the same in fewer bytes: environment variables make the pod as large as in JSON.
  std::string container, out;
  AppendBytesField(container, 1, "main");
  AppendBytesField(container, 2, "registry.example.com/team/web:1.2.3");
  for (int i = 0; i < 27; ++i) {
    AppendBytesField(container, 7,
                     Entry(fmt::format("SETTING_{:02}", i), "a value of some length"));
  }
  AppendBytesField(container, 13, "/dev/termination-log");
  AppendBytesField(container, 14, "IfNotPresent");
  AppendBytesField(out, 2, container);
  AppendBytesField(out, 3, "Always");
  AppendVarintField(out, 4, 30);
  AppendBytesField(out, 6, "ClusterFirst");
  AppendBytesField(out, 8, "default");
  AppendBytesField(out, 10, of.node);
  AppendBytesField(out, 19, "default-scheduler");
  return out;
}

std::string ProtoStatus() {
  std::string out;
  AppendBytesField(out, 1, "Running");
  for (const std::string_view type : {"Ready", "PodScheduled"}) {
    std::string condition;
    AppendBytesField(condition, 1, type);
    AppendBytesField(condition, 2, "True");
    AppendBytesField(condition, 4, Time(1793614275));
    AppendBytesField(out, 2, condition);
  }
  AppendBytesField(out, 5, "10.0.0.1");
  AppendBytesField(out, 6, "10.1.0.1");
  AppendBytesField(out, 7, Time(1793614272));
  return out;
}

std::string ProtoPod(size_t index, uint64_t revision) {
  const Names of(index);
  std::string out;
  AppendBytesField(out, 1, ProtoMetadata(of, revision));
  AppendBytesField(out, 2, ProtoSpec(of));
  AppendBytesField(out, 3, ProtoStatus());
  return out;
}

std::string Envelope(std::string_view kind, std::string_view message) {
  std::string type, unknown;
  AppendBytesField(type, 1, "v1");
  AppendBytesField(type, 2, kind);
  AppendBytesField(unknown, 1, type);
  AppendBytesField(unknown, 2, message);
  AppendBytesField(unknown, 3, "");
  AppendBytesField(unknown, 4, "");
  return std::string("k8s\0", 4) + unknown;
}

}  // namespace

std::string Pod(Encoding encoding, size_t index, uint64_t revision) {
  return encoding == Encoding::kJson ? JsonPod(index, revision, true) : ProtoPod(index, revision);
}

std::string PodList(Encoding encoding, size_t count) {
  if (encoding == Encoding::kJson) {
    std::string out = fmt::format(
        R"({{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"{}"}},"items":[)",
        kFirstRevision);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) out += ',';
      out += JsonPod(i, kFirstRevision, false);
    }
    return out + "]}\n";
  }
  std::string meta, list;
  AppendBytesField(meta, 1, "");
  AppendBytesField(meta, 2, std::to_string(kFirstRevision));
  AppendBytesField(meta, 3, "");
  AppendBytesField(list, 1, meta);
  for (size_t i = 0; i < count; ++i) AppendBytesField(list, 2, ProtoPod(i, kFirstRevision));
  return Envelope("PodList", list);
}

void AppendModified(Encoding encoding, size_t index, uint64_t revision, std::string& out) {
  if (encoding == Encoding::kJson) {
    out.append(R"({"type":"MODIFIED","object":)").append(JsonPod(index, revision, true));
    out.append("}\n");
    return;
  }
  std::string raw, event;
  AppendBytesField(raw, 1, Envelope("Pod", ProtoPod(index, revision)));
  AppendBytesField(event, 1, "MODIFIED");
  AppendBytesField(event, 2, raw);
  for (int shift = 24; shift >= 0; shift -= 8)
    out += static_cast<char>(static_cast<uint8_t>(event.size() >> shift));
  out += event;
}

}  // namespace weir::bench
