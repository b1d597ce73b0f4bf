// One object as upstream sent it: a small header and the bytes, in one allocation.
//
//   header │ spans of the selectable fields │ key │ rest
//
// Immutable and shared by reference count between the store, the log, and all workers. `rest` is
// what every form of the object has in common (cache/framing.h puts the rest around it): of JSON
// the bytes after the opening brace, and after the type prefix of built-in types
// (TypeForm::type_prefix); of protobuf the bare message.
// Overhead beside the bytes: at most 100 bytes, and 8 for each selectable field of the type.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/base/ref_counted.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/resource.h"

namespace weir {

class Object;
using ObjectRef = RefPtr<const Object>;

class Object {
 public:
  // Copies what `scanned` points at: the one copy that ingest makes.
  static ObjectRef Make(const ScannedObject& scanned, Encoding encoding = Encoding::kJson);
  // The same bytes with metadata.resourceVersion replaced; a new object.
  static ObjectRef WithRevision(const Object& object, Revision revision);

  Revision revision() const { return revision_; }
  // What upstream sorts by: "namespace/name", or the name of a cluster-scoped object.
  std::string_view key() const;
  std::string_view namespace_() const;
  std::string_view name() const;
  std::string_view uid() const;
  std::string_view rest() const;
  LabelsView labels() const { return LabelsView(labels_.In(rest()), encoding_); }
  Encoding encoding() const { return encoding_; }
  // Of SelectableFields of its type: the bytes as they stand; "" where there are none.
  std::string_view field(size_t index) const { return field_spans()[index].In(rest()); }
  size_t field_count() const { return field_count_; }
  // JSON: the value, braces included. Protobuf: the first field, tag and length included.
  std::string_view metadata() const { return metadata_.In(rest()); }
  Span metadata_span() const { return metadata_; }
  // The digits of metadata.resourceVersion, within rest().
  Span revision_digits() const { return revision_digits_; }

  // For sums over many: the bytes of rest() and metadata(), in protobuf with an item's head.
  size_t rest_item_bytes() const { return ItemBytes(rest_length_); }
  size_t metadata_item_bytes() const { return ItemBytes(metadata_.length); }
  // All memory it holds.
  size_t footprint() const;

  void Ref() const { count_.Increment(); }
  void Unref() const;

  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

 private:
  Object() = default;
  ~Object() = default;
  size_t ItemBytes(size_t length) const {
    return IsProtobuf(encoding_) ? ProtoItemBytes(length) : length;
  }
  // One with room for what stands behind the header, which the caller writes.
  static Object* Allocate(size_t fields, size_t key_length, size_t rest_length);
  Span* field_spans() { return reinterpret_cast<Span*>(this + 1); }
  const Span* field_spans() const { return reinterpret_cast<const Span*>(this + 1); }
  char* data() { return reinterpret_cast<char*>(field_spans() + field_count_); }
  const char* data() const { return reinterpret_cast<const char*>(field_spans() + field_count_); }

  RefCount count_;
  uint32_t rest_length_ = 0;
  Revision revision_;
  uint32_t key_length_ = 0;
  uint16_t namespace_length_ = 0;
  uint8_t field_count_ = 0;
  Encoding encoding_ = Encoding::kJson;
  Span uid_, revision_digits_, metadata_, labels_;  // Within rest().
};

}  // namespace weir
