#include "proxy/auth/kept_attributes.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

namespace {

constexpr std::string_view kNameField = "metadata.name";

// Seven bits a byte, the lowest first.
void AddNumber(size_t number, std::string& out) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
  out += static_cast<char>(number);
}

void AddText(std::string_view text, std::string& out) {
  AddNumber(text.size(), out);
  out += text;
}

class Reader {
 public:
  explicit Reader(const char* at) : at_(at) {}
  size_t Number() {
    size_t number = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at_++);
      number |= size_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return number;
    }
  }
  std::string Text() {
    const size_t size = Number();
    return {std::exchange(at_, at_ + size), size};
  }

 private:
  const char* at_;
};

}  // namespace

KeptAttributes::KeptAttributes(const Attributes& attributes) {
  std::string out;
  AddText(attributes.verb, out);
  AddText(attributes.resource.group, out);
  AddText(attributes.resource.version, out);
  AddText(attributes.resource.resource, out);
  AddText(attributes.namespace_, out);
  // Of a collection's reader the name is what its selector says.
  const bool by_selector =
      attributes.field_selector.RequiredValue(kNameField) == std::string_view(attributes.name);
  AddNumber(by_selector ? 1 : 0, out);
  if (!by_selector) AddText(attributes.name, out);
  AddNumber(attributes.field_selector.requirements().size(), out);
  for (const FieldSelector::Requirement& r : attributes.field_selector.requirements()) {
    AddText(r.field, out);
    AddNumber(r.equal ? 1 : 0, out);
    AddText(r.value, out);
  }
  AddNumber(attributes.label_selector.requirements().size(), out);
  for (const LabelSelector::Requirement& r : attributes.label_selector.requirements()) {
    AddText(r.key, out);
    AddNumber(static_cast<size_t>(r.op), out);
    AddNumber(r.values.size(), out);
    for (const std::string& value : r.values) AddText(value, out);
  }
  auto packed = std::make_unique_for_overwrite<char[]>(out.size());
  std::memcpy(packed.get(), out.data(), out.size());
  packed_ = std::move(packed);
}

Attributes KeptAttributes::Unpack() const {
  Reader reader(packed_.get());
  Attributes attributes;
  attributes.verb = reader.Text();
  attributes.resource.group = reader.Text();
  attributes.resource.version = reader.Text();
  attributes.resource.resource = reader.Text();
  attributes.namespace_ = reader.Text();
  const bool by_selector = reader.Number() == 1;
  if (!by_selector) attributes.name = reader.Text();
  std::vector<FieldSelector::Requirement> fields(reader.Number());
  for (FieldSelector::Requirement& r : fields) {
    r.field = reader.Text();
    r.equal = reader.Number() == 1;
    r.value = reader.Text();
  }
  attributes.field_selector = FieldSelector::Of(std::move(fields));
  if (by_selector) attributes.name = *attributes.field_selector.RequiredValue(kNameField);
  std::vector<LabelSelector::Requirement> labels(reader.Number());
  for (LabelSelector::Requirement& r : labels) {
    r.key = reader.Text();
    r.op = static_cast<LabelSelector::Operator>(reader.Number());
    r.values.resize(reader.Number());
    for (std::string& value : r.values) value = reader.Text();
  }
  attributes.label_selector = LabelSelector::Of(std::move(labels));
  return attributes;
}

}  // namespace weir
