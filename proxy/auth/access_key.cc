#include "proxy/auth/access_key.h"

#include <algorithm>

namespace weir {
namespace {

void AppendNumber(size_t number, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>((number >> shift) & 0xff);
}

void AppendField(std::string_view text, std::string& out) {
  AppendNumber(text.size(), out);
  out += text;
}

void AppendFields(const std::vector<std::string>& fields, std::string& out) {
  AppendNumber(fields.size(), out);
  for (const std::string& field : fields) AppendField(field, out);
}

void AppendUser(const Identity& identity, std::string& out) {
  AppendField(identity.name, out);
  AppendField(identity.uid, out);
  std::vector<std::string> groups = identity.groups;
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  AppendFields(groups, out);
  AppendNumber(identity.extra.size(), out);
  for (const auto& [key, values] : identity.extra) {
    AppendField(key, out);
    AppendFields(values, out);
  }
}

void AppendSelectors(const Attributes& attributes, std::string& out) {
  AppendNumber(attributes.field_selector.requirements().size(), out);
  for (const FieldSelector::Requirement& r : attributes.field_selector.requirements()) {
    AppendField(r.field, out);
    out += r.equal ? '=' : '!';
    AppendField(r.value, out);
  }
  AppendNumber(attributes.label_selector.requirements().size(), out);
  for (const LabelSelector::Requirement& r : attributes.label_selector.requirements()) {
    AppendField(r.key, out);
    out += static_cast<char>(r.op);
    AppendFields(r.values, out);
  }
}

}  // namespace

std::string AccessKey(const Identity& identity, const Attributes& attributes) {
  std::string key;
  key.reserve(512);
  AppendUser(identity, key);
  AppendField(attributes.verb, key);
  AppendField(attributes.resource.group, key);
  AppendField(attributes.resource.version, key);
  AppendField(attributes.resource.resource, key);
  AppendField(attributes.namespace_, key);
  AppendField(attributes.name, key);
  AppendSelectors(attributes, key);
  return key;
}

size_t AttributeBytes(const Attributes& attributes) {
  size_t bytes = attributes.namespace_.size() + attributes.verb.size() + attributes.name.size() +
                 attributes.resource.group.size() + attributes.resource.version.size() +
                 attributes.resource.resource.size();
  for (const FieldSelector::Requirement& r : attributes.field_selector.requirements()) {
    bytes += r.field.size() + r.value.size();
  }
  for (const LabelSelector::Requirement& r : attributes.label_selector.requirements()) {
    bytes += r.key.size();
    for (const std::string& value : r.values) bytes += value.size();
  }
  return bytes;
}

}  // namespace weir
