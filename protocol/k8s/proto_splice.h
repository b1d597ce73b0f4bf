// A kept message under another revision: what a watcher gets of an object that left its selector
// (api-semantics 3.5). The message is cut, not copied; lengths are rewritten where the numbers have
// not as many digits.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "protocol/k8s/span.h"

namespace weir {

inline constexpr size_t kSpliceScratch = 16;  // Two lengths and a tag.
inline constexpr size_t kMaxSplicePieces = 6;

// `metadata` and `digits` are what the scan recorded in `message` (ScannedObject::metadata and
// revision_digits): the metadata field begins the message. `message` may also be that field alone,
// for a PartialObjectMetadata.
size_t SplicedMessageBytes(std::string_view message, Span metadata, Span digits, size_t new_digits);

// The message with `new_digits` (at most 20) for its revision, as `count` pieces of it, of
// `new_digits` and of `scratch`; none is empty. They live as long as all three.
void SpliceRevision(std::string_view message, Span metadata, Span digits,
                    std::string_view new_digits, char* scratch,
                    std::array<std::string_view, kMaxSplicePieces>& pieces, size_t& count);

}  // namespace weir
