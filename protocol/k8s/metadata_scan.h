// Finds the few things that the cache must know inside one object's bytes, without decoding the
// rest.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "protocol/base/status.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/resource.h"
#include "protocol/k8s/selectable_fields.h"
#include "protocol/k8s/span.h"

namespace weir {

// All views point into the scanned bytes, all spans into `rest`.
struct ScannedObject {
  // JSON: `"kind":"Pod","apiVersion":"v1",` when the object begins with exactly these two, in this
  // order, as built-in types in WATCH and GET do; else empty (items of built-in lists; custom
  // resources, whose keys are sorted; protobuf).
  std::string_view type_prefix;
  // The object's bytes. JSON: those after the opening brace and the type prefix, so that an opening
  // brace plus `rest` is the object as upstream's lists write it. Protobuf: the message.
  std::string_view rest;
  std::string_view kind, api_version;  // Empty where the object has none; always so in protobuf.
  std::string_view namespace_, name, uid;
  Revision revision;
  // Length 0: not there.
  Span revision_digits;  // The digits of metadata.resourceVersion, without quotes.
  // JSON: the value of "metadata", braces included. Protobuf: the whole first field, tag and length
  // included, which is a PartialObjectMetadata as it stands.
  Span metadata;
  // JSON: the value of metadata.labels. Protobuf: its entries, which follow each other
  // (LabelsView).
  Span labels;
  // By index of SelectableFields; see SelectableField::Text.
  std::array<Span, SelectableFields::kMax> fields{};
  size_t field_count = 0;  // SelectableFields::size().
};

// One forward walk: what is not asked for is skipped, in JSON by its brackets, 64 bytes at a time.
// Stateless between objects.
class MetadataScanner {
 public:
  // Bytes that whoever cuts items leaves readable (of any content) behind them, for readers that
  // load blocks.
  static constexpr size_t kPadding = 64;

  MetadataScanner();  // JSON, without fields.
  MetadataScanner(Encoding encoding, std::shared_ptr<const SelectableFields> fields)
      : encoding_(encoding), fields_(std::move(fields)) {}

  // `item` is one compact JSON object, or one message (ScanProtobuf). InvalidArgument: not an
  // object, no metadata.name or resourceVersion, a revision that is no decimal number above 0, one
  // of the metadata of interest twice, escapes in a name, label or revision, a name with a slash,
  // or a depth above kMaxJsonDepth. In JSON a selectable field that is no scalar counts as absent,
  // and of several the last counts. Any bytes are safe; what is skipped is not validated.
  StatusOr<ScannedObject> Scan(std::string_view item) const;

 private:
  const Encoding encoding_;
  const std::shared_ptr<const SelectableFields> fields_;
};

}  // namespace weir
