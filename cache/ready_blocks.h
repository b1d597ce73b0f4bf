// Gzip blocks of what stands in one leaf of a tree, kept beside its objects: made by the first
// answer that needs them, and sent as they are by every other one, until the leaf changes. With
// many clients, compression costs as much as with one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "protocol/http/gzip.h"

namespace weir {

// In which of the forms of its cache. The bytes around the objects are the same in all answers of a
// form (Framing), so that the blocks fit all of them.
enum class ReadyForm : uint8_t {
  kItems,  // Of a LIST, none of them the first.
  kMetadataItems,
  kInitialEvents,  // Of a WATCH.
  kInitialMetadata,
};

// Any number of threads may read and keep; Clear() and destruction need the leaf for themselves.
class ReadyBlocks {
 public:
  ReadyBlocks() = default;
  ~ReadyBlocks() { Clear(); }
  ReadyBlocks(const ReadyBlocks&) = delete;
  ReadyBlocks& operator=(const ReadyBlocks&) = delete;

  // Null: not made yet. Valid until the leaf is changed or gone.
  const http::DeflatedBlocks* Get(ReadyForm form) const {
    return slots_[static_cast<size_t>(form)].load(std::memory_order_acquire);
  }
  // Keeps `blocks`, unless others were faster or too much is kept already; returns what is kept, or
  // null, and leaves `blocks` alone.
  const http::DeflatedBlocks* Keep(ReadyForm form, http::DeflatedBlocks& blocks) const;
  void Clear();

  // Of all leaves of the process together: what they hold, and how much that may be.
  static size_t held_bytes();
  static void SetLimit(size_t bytes);

 private:
  mutable std::array<std::atomic<const http::DeflatedBlocks*>, 4> slots_{};
};

}  // namespace weir
