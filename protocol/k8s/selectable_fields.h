// Which fields of a type field selectors may name, and where they stand in an object (api-semantics
// 6.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/k8s/form.h"
#include "protocol/k8s/resource.h"

namespace weir {

struct SelectableField {
  enum class Kind : uint8_t { kString, kBool, kNumber };

  std::string label;                   // "spec.nodeName": as the selector names it.
  Kind kind = Kind::kString;           // Absent means "", "false" or "0".
  std::vector<std::string> json_path;  // {"spec", "nodeName"}
  std::vector<uint32_t> proto_path;    // {2, 10}: field numbers, of messages and then the scalar.
  // Where the value is empty, that of this field (index) counts.
  std::optional<size_t> fallback;

  // What selectors compare, from the recorded bytes: of JSON the string between its quotes, or the
  // literal; of protobuf the string, or the varint. Valid as long as both arguments.
  std::string_view Text(std::string_view raw, Encoding encoding, std::string& scratch) const;
};

// Immutable; one per type. metadata.name and metadata.namespace are not among them.
class SelectableFields {
 public:
  static constexpr size_t kMax = 16;  // Fields recorded per object; bits of a mask.

  SelectableFields() = default;
  explicit SelectableFields(std::vector<SelectableField> fields) : fields_(std::move(fields)) {}
  // Of a built-in type; none where it has none beside its name and namespace.
  static std::shared_ptr<const SelectableFields> BuiltIn(const ResourceId& id);

  size_t size() const { return fields_.size(); }
  const SelectableField& operator[](size_t index) const { return fields_[index]; }
  // The field that a selector calls `label`. Old names lead to the field's own (`spec.host`).
  std::optional<size_t> Find(std::string_view label) const;

 private:
  std::vector<SelectableField> fields_;
};

}  // namespace weir
