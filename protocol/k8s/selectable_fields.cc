#include "protocol/k8s/selectable_fields.h"

#include <algorithm>

#include "fmt/format.h"
#include "protocol/base/json_text.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

// 0 where `raw` is none.
uint64_t Varint(std::string_view raw) {
  uint64_t value = 0;
  return ReadVarint(raw.data(), raw.data() + raw.size(), value) == nullptr ? 0 : value;
}

std::string_view JsonText(std::string_view raw, std::string& scratch) {
  if (raw.find('\\') == std::string_view::npos) return raw;
  scratch.clear();
  AppendUnescapedJson(raw, scratch);
  return scratch;
}

std::string_view ProtoText(std::string_view raw, SelectableField::Kind kind, std::string& scratch) {
  switch (kind) {
    case SelectableField::Kind::kString:
      return raw;
    case SelectableField::Kind::kBool:
      return Varint(raw) != 0 ? "true" : "false";
    case SelectableField::Kind::kNumber:
      // As generated code reads an int32: negative ones are written in 64 bits.
      scratch = fmt::format_int(static_cast<int32_t>(Varint(raw))).c_str();
      return scratch;
  }
  return raw;
}

std::string_view AbsentText(SelectableField::Kind kind) {
  switch (kind) {
    case SelectableField::Kind::kString:
      return "";
    case SelectableField::Kind::kBool:
      return "false";
    case SelectableField::Kind::kNumber:
      return "0";
  }
  return "";
}

bool IsPlainKey(std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !key.empty() && std::all_of(key.begin(), key.end(), plain);
}

// The keys of `spec.color`; nothing where one needs more than a look to compare. What names the
// type is not looked for among the fields.
std::optional<std::vector<std::string>> PlainPath(std::string_view path) {
  std::vector<std::string> keys;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    keys.emplace_back(path.substr(begin, end - begin));
    if (!IsPlainKey(keys.back())) return std::nullopt;
    begin = end + 1;
  }
  const std::string& root = keys.front();
  if (root == "metadata" || root == "kind" || root == "apiVersion") return std::nullopt;
  return keys;
}

FieldTree TreeOf(const std::vector<SelectableField>& fields) {
  FieldTree root;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].json_path.empty()) continue;
    FieldTree* at = &root;
    for (const std::string& key : fields[i].json_path) {
      const auto same = [&key](const FieldTree& each) { return each.key == key; };
      auto next = std::find_if(at->inside.begin(), at->inside.end(), same);
      if (next == at->inside.end()) next = at->inside.insert(next, FieldTree{key, {}, {}});
      at = &*next;
    }
    at->field = i;
  }
  return root;
}

}  // namespace

std::string_view SelectableField::Text(std::string_view raw, Encoding encoding,
                                       std::string& scratch) const {
  if (raw.empty()) return AbsentText(kind);
  return IsProtobuf(encoding) ? ProtoText(raw, kind, scratch) : JsonText(raw, scratch);
}

SelectableFields::SelectableFields(std::vector<SelectableField> fields, bool by_namespace)
    : fields_(std::move(fields)), json_tree_(TreeOf(fields_)), by_namespace_(by_namespace) {}

// As upstream (apiextensions-apiserver, registry/customresource/strategy.go): the value as Go
// prints it, "" where there is none.
std::shared_ptr<const SelectableFields> SelectableFields::Custom(
    const std::vector<std::string>& json_paths) {
  std::vector<SelectableField> fields;
  for (const std::string_view path : json_paths) {
    if (!path.starts_with('.') || fields.size() == kMax) continue;
    auto keys = PlainPath(path.substr(1));
    if (!keys) continue;
    SelectableField& field = fields.emplace_back();
    field.label = path.substr(1);
    field.json_path = std::move(*keys);
  }
  return std::make_shared<const SelectableFields>(std::move(fields));
}

std::optional<size_t> SelectableFields::Find(std::string_view label) const {
  if (label.empty()) return std::nullopt;
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].label == label || fields_[i].old_label == label) return i;
  }
  return std::nullopt;
}

bool SelectorsServed(const FieldSelector& selector, const SelectableFields& fields, bool namespaced,
                     bool custom) {
  const auto served = [&](const FieldSelector::Requirement& requirement) {
    if (requirement.field == "metadata.name") return true;
    if (requirement.field == "metadata.namespace") {
      return custom ? namespaced : fields.by_namespace();
    }
    return fields.Find(requirement.field).has_value();
  };
  const auto& requirements = selector.requirements();
  return std::all_of(requirements.begin(), requirements.end(), served);
}

}  // namespace weir
