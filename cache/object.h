// One object as upstream sent it: a small header and the bytes, in one allocation.
//
// Immutable and shared by reference count between the store, the log, and all workers.
// The bytes are kept after the opening brace and without the type prefix of built-in types
// (TypeForm::type_prefix):
//   list item           "{" + rest()                       (built-in types; custom resources have
//   no prefix to leave out) GET, watch event    "{" + type_prefix + rest()
// Overhead beside the bytes: at most 120 bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/base/ref_counted.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/resource.h"

namespace weir {

class Object;
using ObjectRef = RefPtr<const Object>;

class Object {
 public:
  // Copies what `scanned` points at: the one copy that ingest makes.
  static ObjectRef Make(const ScannedObject& scanned);
  // The same bytes with metadata.resourceVersion replaced; a new object.
  static ObjectRef WithRevision(const Object& object, Revision revision);

  Revision revision() const { return revision_; }
  // What upstream sorts by: "namespace/name", or the name of a cluster-scoped object.
  std::string_view key() const;
  std::string_view namespace_() const;
  std::string_view name() const;
  std::string_view uid() const;
  std::string_view rest() const;
  LabelsView labels() const;
  std::string_view labels_json() const;
  std::string_view node_name()
      const;  // spec.nodeName; "" where there is none or it was not looked for.
  std::string_view metadata() const;  // The JSON value, braces included.
  // `rest()` before and after the digits of metadata.resourceVersion: for splicing another revision
  // in without a copy.
  std::string_view before_revision() const;
  std::string_view after_revision() const;

  // Of a list item: "{" + rest().
  size_t item_bytes() const { return rest_length_ + 1; }
  // All memory it holds.
  size_t footprint() const;

  void Ref() const { count_.Increment(); }
  void Unref() const;

  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

 private:
  Object() = default;
  ~Object() = default;
  // One with room for key and rest, which the caller writes.
  static Object* Allocate(size_t key_length, size_t rest_length);
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }

  RefCount count_;
  uint32_t rest_length_ = 0;
  Revision revision_;
  // Behind the header: key, rest.
  uint32_t key_length_ = 0;
  uint32_t namespace_length_ = 0;
  Span uid_, revision_digits_, metadata_, labels_, node_name_;  // Within rest().
};

}  // namespace weir
