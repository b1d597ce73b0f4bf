// The metadata scan of protobuf messages.
#pragma once

#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/selectable_fields.h"

namespace weir {

// `message` is one object without its envelope, of at most 4 GiB; `fields` are found by their
// proto_path, none of which leads into the metadata. Skips by lengths, without allocation; bytes
// behind the message are not read.
//
// InvalidArgument: not a message, its first field is not ObjectMeta, ObjectMeta or a field of
// interest twice, labels that do not follow each other, a field of another wire type than its kind
// has, no name, a name with a slash, or a revision that is no decimal number above 0.
StatusOr<ScannedObject> ScanProtobuf(std::string_view message, const SelectableFields& fields);

}  // namespace weir
