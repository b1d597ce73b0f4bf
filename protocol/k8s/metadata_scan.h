// Finds the few things that the cache must know inside one object's JSON, without decoding the
// rest.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/resource.h"

namespace weir {

// Offsets and lengths into ScannedObject::body.
struct Span {
  uint32_t offset = 0;
  uint32_t length = 0;
  std::string_view In(std::string_view body) const { return body.substr(offset, length); }
};

// All views point into the scanned bytes.
struct ScannedObject {
  // `"kind":"Pod","apiVersion":"v1",` when the object begins with exactly these two, in this order,
  // as built-in types in WATCH and GET do; else empty (items of built-in lists; custom resources,
  // whose keys are sorted).
  std::string_view type_prefix;
  // The object's bytes. Where type_prefix is not empty these are the bytes *after* the prefix, so
  // that an opening brace plus `rest` is the object as upstream's lists write it. Without prefix:
  // the bytes after the opening brace.
  std::string_view rest;
  std::string_view kind, api_version;  // Empty where the object has none.
  std::string_view namespace_, name, uid;
  Revision revision;
  Span
      revision_digits;  // Within `rest`: the digits between the quotes of metadata.resourceVersion.
  Span metadata;        // Within `rest`: the value of "metadata", braces included.
  Span labels;     // Within `rest`: the value of metadata.labels; length 0 where there are none.
  Span node_name;  // Within `rest`: spec.nodeName without quotes; length 0 where there is none.
};

// One forward walk: values that are not asked for are skipped by their brackets, 64 bytes at a
// time. Stateless.
class MetadataScanner {
 public:
  // Bytes that whoever cuts items leaves readable (of any content) behind them, for readers that
  // load blocks.
  static constexpr size_t kPadding = 64;

  // `item` is one compact JSON object. InvalidArgument: not an object, no metadata.name or
  // resourceVersion, a revision that is no decimal number above 0, a key of interest twice, escapes
  // in a name, label or revision, a name with a slash, or a depth above kMaxJsonDepth. Any bytes
  // are safe; what is skipped is not validated. `node_name`: whether to look for spec.nodeName
  // (pods).
  StatusOr<ScannedObject> Scan(std::string_view item, bool node_name);
};

}  // namespace weir
