// Which fields of a type field selectors may name, and where they stand in an object (api-semantics
// 6.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/resource.h"

namespace weir {

struct SelectableField {
  enum class Kind : uint8_t {
    kString,  // Absent means "". So do all fields of custom resources, whatever their type.
    kBool,    // Absent means "false".
    kNumber,  // Absent means "0". Of 32 bits with a sign.
  };

  std::string label;      // "spec.nodeName": as the selector names it.
  std::string old_label;  // Another name that selectors may use; "" for none.
  Kind kind = Kind::kString;
  // Both empty: the field is accepted and never has a value.
  std::vector<std::string> json_path;  // {"spec", "nodeName"}
  std::vector<uint32_t> proto_path;    // {2, 10}: field numbers, of messages and then the scalar.
  // Where the text is empty, that of this field (index) counts.
  std::optional<size_t> fallback;

  // What selectors compare, from the recorded bytes: of JSON the string between its quotes, or the
  // literal; of protobuf the string, or the varint; empty: absent. Any bytes are safe. Valid as
  // long as both arguments; `scratch` is only written where the text is not in `raw` as it stands.
  std::string_view Text(std::string_view raw, Encoding encoding, std::string& scratch) const;
};

// The JSON paths of some fields, as a tree of keys: what a walk over an object looks for.
struct FieldTree {
  std::string key;
  std::optional<size_t> field;    // Whose value this is, by index.
  std::vector<FieldTree> inside;  // What to look for in the value, where it is an object.

  const FieldTree* Find(std::string_view wanted) const {
    for (const FieldTree& each : inside) {
      if (each.key == wanted) return &each;
    }
    return nullptr;
  }
};

// Immutable; one per type. metadata.name and metadata.namespace are not among them.
class SelectableFields {
 public:
  static constexpr size_t kMax = 16;  // Fields recorded per object.

  SelectableFields() = default;
  // At most kMax. `by_namespace`: selectors may name metadata.namespace, be there one or not.
  explicit SelectableFields(std::vector<SelectableField> fields, bool by_namespace = true);
  // Of a built-in type; none where it has none beside its name and namespace. Never null.
  static std::shared_ptr<const SelectableFields> BuiltIn(const ResourceId& id);
  // Of a version of a custom resource: the `selectableFields[].jsonPath` of its definition. Paths
  // that are not plain (`.spec.color`) are left out. Never null. Values that the schema does not
  // allow, stored before it did not, may compare otherwise than upstream: lists and objects as
  // absent, large fractions as they stand.
  static std::shared_ptr<const SelectableFields> Custom(const std::vector<std::string>& json_paths);

  size_t size() const { return fields_.size(); }
  const SelectableField& operator[](size_t index) const { return fields_[index]; }
  // The field that a selector calls `label`, which may be its old name (`spec.host`).
  std::optional<size_t> Find(std::string_view label) const;
  // Its root stands for the object.
  const FieldTree& json_tree() const { return json_tree_; }
  // Of built-in types; with custom resources the scope decides.
  bool by_namespace() const { return by_namespace_; }

 private:
  std::vector<SelectableField> fields_;
  FieldTree json_tree_;
  bool by_namespace_ = true;
};

// Whether upstream accepts all labels that `selector` names, for the type with these fields; else
// it has the words to refuse them.
bool SelectorsServed(const FieldSelector& selector, const SelectableFields& fields, bool namespaced,
                     bool custom);

}  // namespace weir
