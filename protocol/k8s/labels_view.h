// The labels of one object, read where they stand.
#pragma once

#include <optional>
#include <string_view>

#include "protocol/k8s/form.h"

namespace weir {

// Look-ups scan the bytes, since labels are few and short. Any bytes are safe; labels behind
// malformed ones are not found.
class LabelsView {
 public:
  // As ScannedObject::labels has them, empty where the object has none. JSON: the compact object,
  // such as {"app":"web"}; keys and values of labels never need escapes. Protobuf: the entries
  // `5a len { 0a len key 12 len value }`.
  LabelsView(std::string_view labels, Encoding encoding) : labels_(labels), encoding_(encoding) {}
  explicit LabelsView(std::string_view json_object) : LabelsView(json_object, Encoding::kJson) {}

  std::optional<std::string_view> Find(std::string_view key) const;

 private:
  std::optional<std::string_view> FindInJson(std::string_view key) const;
  std::optional<std::string_view> FindInProtobuf(std::string_view key) const;

  std::string_view labels_;
  Encoding encoding_;
};

}  // namespace weir
