#include "protocol/k8s/labels_view.h"

#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

struct Label {
  std::string_view key, value;
};

// An entry of a map; what is not written is empty.
std::optional<Label> ReadEntry(std::string_view entry) {
  Label label;
  ProtoReader reader(entry);
  for (ProtoField field; reader.Next(field);) {
    if (field.type != WireType::kBytes) return std::nullopt;
    if (field.number == 1) label.key = field.bytes;
    if (field.number == 2) label.value = field.bytes;
  }
  if (reader.failed()) return std::nullopt;
  return label;
}

}  // namespace

std::optional<std::string_view> LabelsView::Find(std::string_view key) const {
  return IsProtobuf(encoding_) ? FindInProtobuf(key) : FindInJson(key);
}

std::optional<std::string_view> LabelsView::FindInJson(std::string_view key) const {
  // Each round is at `"key":"value"` behind `{` or `,`.
  size_t position = 1;
  while (position < labels_.size() && labels_[position] == '"') {
    const size_t key_end = labels_.find('"', position + 1);
    if (key_end == std::string_view::npos) break;
    const size_t value_begin = key_end + 3;
    if (value_begin >= labels_.size()) break;
    const size_t value_end = labels_.find('"', value_begin);
    if (value_end == std::string_view::npos) break;
    if (labels_.substr(position + 1, key_end - position - 1) == key) {
      return labels_.substr(value_begin, value_end - value_begin);
    }
    position = value_end + 2;
  }
  return std::nullopt;
}

std::optional<std::string_view> LabelsView::FindInProtobuf(std::string_view key) const {
  ProtoReader reader(labels_);
  for (ProtoField field; reader.Next(field);) {
    if (field.type != WireType::kBytes) break;
    const auto label = ReadEntry(field.bytes);
    if (!label) break;
    if (label->key == key) return label->value;
  }
  return std::nullopt;
}

}  // namespace weir
