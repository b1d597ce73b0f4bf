#include "protocol/k8s/proto_scan.h"

#include <algorithm>
#include <cstdint>

#include "protocol/k8s/object_identity.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

// Field numbers (api-semantics 5.4).
enum ObjectField : uint32_t { kObjectMeta = 1 };
enum MetaField : uint32_t {
  kName = 1,
  kNamespace = 3,
  kUid = 5,
  kResourceVersion = 6,
  kLabels = 11,
};

class Scan {
 public:
  Scan(std::string_view message, const SelectableFields& fields)
      : message_(message), fields_(fields) {}

  StatusOr<ScannedObject> Run() {
    object_.rest = message_;
    object_.field_count = fields_.size();
    TakeObject();
    if (malformed_) return InvalidArgument("object: malformed protobuf");
    WEIR_TRY(CheckObjectNames(object_.namespace_, object_.name));
    WEIR_ASSIGN_OR_RETURN(object_.revision, ParseRevision(object_.revision_digits.In(message_)));
    return object_;
  }

 private:
  // A set of selectable fields by index, and one of field numbers; the latter's last bit stands for
  // all numbers from there on.
  using FieldSet = uint32_t;
  using NumberSet = uint64_t;
  static NumberSet BitOf(uint32_t number) { return NumberSet{1} << std::min(number, 63u); }

  void TakeObject() {
    ProtoReader reader(message_);
    ProtoField field;
    if (!reader.Next(field) || field.number != kObjectMeta) {
      malformed_ = true;
      return;
    }
    object_.metadata = {0, static_cast<uint32_t>(reader.position())};
    if (Expect(field, WireType::kBytes)) TakeMetadata(field.bytes);

    const FieldSet all = (FieldSet{1} << fields_.size()) - 1;
    const NumberSet wanted = NumbersOf(all, 0) | BitOf(kObjectMeta);
    while (reader.Next(field)) {
      if ((wanted & BitOf(field.number)) == 0) continue;
      if (field.number == kObjectMeta) malformed_ = true;
      TakeFields(field, all, 0);
    }
    malformed_ |= reader.failed();
  }

  void TakeMetadata(std::string_view metadata) {
    ProtoReader reader(metadata);
    uint32_t previous = 0;
    size_t start = 0;
    for (ProtoField field; reader.Next(field); start = reader.position()) {
      switch (field.number) {
        case kName:
          TakeString(field, object_.name);
          break;
        case kNamespace:
          TakeString(field, object_.namespace_);
          break;
        case kUid:
          TakeString(field, object_.uid);
          break;
        case kResourceVersion: {
          TakeString(field, revision_);
          object_.revision_digits = SpanOf(field.bytes);
          break;
        }
        case kLabels:
          TakeLabel(field, metadata.substr(start, reader.position() - start), previous);
          break;
        default:
          break;
      }
      previous = field.number;
    }
    malformed_ |= reader.failed();
  }

  void TakeString(const ProtoField& field, std::string_view& value) {
    if (!Expect(field, WireType::kBytes)) return;
    if (value.data() != nullptr) malformed_ = true;  // Twice.
    value = field.bytes;
  }

  // `entry` is the field with its tag.
  void TakeLabel(const ProtoField& field, std::string_view entry, uint32_t previous) {
    if (!Expect(field, WireType::kBytes)) return;
    Span& labels = object_.labels;
    if (labels.length == 0) {
      labels = SpanOf(entry);
    } else if (previous == kLabels) {
      labels.length += static_cast<uint32_t>(entry.size());
    } else {
      malformed_ = true;
    }
  }

  // The field numbers by which the paths of `among` go on at `depth`.
  NumberSet NumbersOf(FieldSet among, size_t depth) const {
    NumberSet numbers = 0;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const std::vector<uint32_t>& path = fields_[i].proto_path;
      if ((among >> i & 1) != 0 && depth < path.size()) numbers |= BitOf(path[depth]);
    }
    return numbers;
  }

  // `field` lies at `depth` of the paths of `among`. Recurses as deep as the longest path.
  void TakeFields(const ProtoField& field, FieldSet among, size_t depth) {
    FieldSet inside = 0;
    for (size_t i = 0; i < fields_.size(); ++i) {
      const std::vector<uint32_t>& path = fields_[i].proto_path;
      if ((among >> i & 1) == 0 || depth >= path.size() || path[depth] != field.number) continue;
      if (depth + 1 == path.size()) {
        TakeValue(field, i);
      } else {
        inside |= FieldSet{1} << i;
      }
    }
    if (inside == 0 || !Expect(field, WireType::kBytes)) return;
    const NumberSet wanted = NumbersOf(inside, depth + 1);
    ProtoReader reader(field.bytes);
    for (ProtoField inner; reader.Next(inner);) {
      if ((wanted & BitOf(inner.number)) != 0) TakeFields(inner, inside, depth + 1);
    }
    malformed_ |= reader.failed();
  }

  void TakeValue(const ProtoField& field, size_t index) {
    const bool is_string = fields_[index].kind == SelectableField::Kind::kString;
    if (!Expect(field, is_string ? WireType::kBytes : WireType::kVarint)) return;
    if ((taken_ >> index & 1) != 0) malformed_ = true;  // Twice.
    taken_ |= FieldSet{1} << index;
    object_.fields[index] = SpanOf(field.bytes);
  }

  bool Expect(const ProtoField& field, WireType type) {
    malformed_ |= field.type != type;
    return field.type == type;
  }

  Span SpanOf(std::string_view part) const {
    return {static_cast<uint32_t>(part.data() - message_.data()),
            static_cast<uint32_t>(part.size())};
  }

  const std::string_view message_;
  const SelectableFields& fields_;
  ScannedObject object_;
  std::string_view revision_;  // As the object's strings: null until it is seen.
  FieldSet taken_ = 0;         // Selectable fields that have been seen.
  bool malformed_ = false;
};

}  // namespace

StatusOr<ScannedObject> ScanProtobuf(std::string_view message, const SelectableFields& fields) {
  return Scan(message, fields).Run();
}

}  // namespace weir
