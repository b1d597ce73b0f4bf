// The scan of protobuf messages against a slow look-up of single fields: they must agree on each
// message that the scan accepts. Another revision in its place must give the same object again.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "protocol/k8s/labels_view.h"
#include "protocol/k8s/proto_scan.h"
#include "protocol/k8s/proto_splice.h"
#include "protocol/k8s/proto_wire.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

const weir::SelectableFields& Fields() {
  static const weir::SelectableFields kFields = [] {
    std::vector<weir::SelectableField> fields(4);
    fields[0].proto_path = {2, 10};
    fields[1].proto_path = {2, 11};
    fields[1].kind = weir::SelectableField::Kind::kBool;
    fields[2].proto_path = {3, 1};
    fields[3].proto_path = {4, 70, 2};
    return weir::SelectableFields(fields);
  }();
  return kFields;
}

// The values of all fields at the end of `path`.
std::vector<std::string_view> Values(std::string_view message, const std::vector<uint32_t>& path) {
  std::vector<std::string_view> messages{message}, next;
  for (const uint32_t number : path) {
    next.clear();
    for (const std::string_view each : messages) {
      weir::ProtoReader reader(each);
      for (weir::ProtoField field; reader.Next(field);) {
        if (field.number == number) next.push_back(field.bytes);
      }
      Check(!reader.failed());
    }
    messages = next;
  }
  return messages;
}

// Exactly one value, or none where `value` is empty.
void CheckOnly(const std::vector<std::string_view>& values, std::string_view value) {
  Check(values.size() == 1 ? values[0] == value : values.empty() && value.empty());
}

void CheckLabels(std::string_view labels, std::string_view message) {
  const weir::LabelsView view(labels, weir::Encoding::kProtobuf);
  const auto entries = Values(message, {1, 11});
  Check(entries.empty() == labels.empty());
  Check(Values(labels, {11}) == entries);
  if (entries.empty()) return;
  // Of the first entry at least, where it is well formed.
  weir::ProtoReader reader(entries[0]);
  std::string_view key, value;
  for (weir::ProtoField field; reader.Next(field);) {
    if (field.type != weir::WireType::kBytes) return;
    if (field.number == 1) key = field.bytes;
    if (field.number == 2) value = field.bytes;
  }
  if (!reader.failed()) Check(view.Find(key) == value);
}

void CheckSplice(std::string_view message, const weir::ScannedObject& object,
                 std::string_view digits) {
  char scratch[weir::kSpliceScratch];
  std::array<std::string_view, weir::kMaxSplicePieces> pieces;
  size_t count = 0;
  weir::SpliceRevision(message, object.metadata, object.revision_digits, digits, scratch, pieces,
                       count);
  std::string spliced;
  for (size_t i = 0; i < count; ++i) spliced.append(pieces[i]);
  Check(spliced.size() ==
        weir::SplicedMessageBytes(message, object.metadata, object.revision_digits, digits.size()));
  const auto again = weir::ScanProtobuf(spliced, Fields());
  Check(again.ok());
  Check(again->revision_digits.In(spliced) == digits);
  Check(again->name == object.name && again->uid == object.uid);
  Check(again->labels.In(spliced) == object.labels.In(message));
  for (size_t i = 0; i < object.field_count; ++i) {
    Check(again->fields[i].In(spliced) == object.fields[i].In(message));
  }
  // And back.
  if (digits == object.revision_digits.In(message)) Check(spliced == message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  const auto object = weir::ScanProtobuf(message, Fields());
  if (!object.ok()) return 0;

  Check(object->rest == message);
  Check(Values(message, {1}).size() == 1);
  Check(Values(object->metadata.In(message), {1}) == Values(message, {1}));
  CheckOnly(Values(message, {1, 1}), object->name);
  CheckOnly(Values(message, {1, 3}), object->namespace_);
  CheckOnly(Values(message, {1, 5}), object->uid);
  CheckOnly(Values(message, {1, 6}), object->revision_digits.In(message));
  Check(std::to_string(object->revision.value) == object->revision_digits.In(message));
  for (size_t i = 0; i < Fields().size(); ++i) {
    CheckOnly(Values(message, Fields()[i].proto_path), object->fields[i].In(message));
  }
  CheckLabels(object->labels.In(message), message);
  for (const char* digits : {"1", "99", "12747", "18446744073709551615"}) {
    CheckSplice(message, *object, digits);
  }
  CheckSplice(message, *object, object->revision_digits.In(message));
  return 0;
}
