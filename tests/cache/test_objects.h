// Objects and type forms for the tests of the store.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cache/object.h"
#include "cache/snapshot.h"
#include "fmt/format.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir {

struct ObjectShape {
  std::string labels = "";  // JSON object, or nothing.
  std::string node = "";
  std::string uid = "u";
  std::string note = "";
};

inline MetadataScanner PodScanner() {
  return {Encoding::kJson, SelectableFields::BuiltIn({"", "v1", "pods"})};
}

// The index of spec.nodeName among the fields of pods.
inline const size_t kNodeName =
    *SelectableFields::BuiltIn({"", "v1", "pods"})->Find("spec.nodeName");

inline constexpr std::string_view kPodPrefix = R"("kind":"Pod","apiVersion":"v1",)";

// The list item of `key`, "namespace/name" or a cluster-scoped object's name.
inline std::string ItemJson(std::string_view key, uint64_t revision,
                            const ObjectShape& shape = {}) {
  const size_t slash = key.find('/');
  const std::string space = slash == std::string_view::npos
                                ? ""
                                : fmt::format(R"("namespace":"{}",)", key.substr(0, slash));
  return fmt::format(
      R"({{"metadata":{{"name":"{}",{}"uid":"{}","resourceVersion":"{}"{}}},"spec":{{{}}}{}}})",
      key.substr(slash == std::string_view::npos ? 0 : slash + 1), space, shape.uid, revision,
      shape.labels.empty() ? "" : R"(,"labels":)" + shape.labels,
      shape.node.empty() ? "" : fmt::format(R"("nodeName":"{}")", shape.node),
      shape.note.empty() ? "" : fmt::format(R"(,"note":"{}")", shape.note));
}

inline ObjectRef MakeObject(std::string_view key, uint64_t revision,
                            const ObjectShape& shape = {}) {
  return Object::Make(PodScanner().Scan(ItemJson(key, revision, shape)).value());
}

inline std::shared_ptr<const TypeForm> PodForm() {
  TypeForm form;
  form.type = {.id = {"", "v1", "pods"}, .kind = "Pod"};
  form.fields = SelectableFields::BuiltIn(form.type.id);
  form.list_kind = "PodList";
  form.type_prefix = kPodPrefix;
  return std::make_shared<const TypeForm>(form);
}

inline std::shared_ptr<const TypeForm> NodeForm() {
  TypeForm form;
  form.type = {.id = {"", "v1", "nodes"}, .kind = "Node", .namespaced = false};
  form.list_kind = "NodeList";
  form.type_prefix = R"("kind":"Node","apiVersion":"v1",)";
  return std::make_shared<const TypeForm>(form);
}

inline std::shared_ptr<const TypeForm> CronTabForm() {
  TypeForm form;
  form.type = {.id = {"stable.example.com", "v1", "crontabs"}, .kind = "CronTab"};
  form.list_kind = "CronTabList";
  form.typed_items = true;
  form.custom = true;
  return std::make_shared<const TypeForm>(form);
}

}  // namespace weir
