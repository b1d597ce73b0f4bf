// The body of one LIST, made piece by piece from a snapshot: memory is the write window, never the
// answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/filter.h"
#include "cache/framing.h"
#include "cache/gather.h"
#include "cache/leaf_blocks.h"
#include "cache/snapshot.h"

namespace weir {

struct ListSpec {
  Filter filter;
  bool metadata_only = false;  // PartialObjectMetadataList.
  int64_t limit = 0;           // ≤ 0: all.
  std::string
      start_key;  // From a continue token, relative to the request's collection; "" at the start.
  bool key_is_namespaced =
      true;  // The resource is namespaced and the request names no namespace: keys "ns/name".
  // Where an index knows them: the objects of the snapshot that may match, in key order. Without a
  // limit only: where a page ends depends on all objects.
  std::optional<std::vector<ObjectRef>> candidates;
  Revision
      revision;  // What the answer says: the snapshot's own, or the exact one that was asked for.
};

// Thread-affine; holds the snapshot. Cost O(answer) with a scope-only filter, else O(range
// scanned). Holds one pointer per object of the answer where the head has to know them all: with a
// limit below the number of objects in range, and in protobuf with selectors.
class ListCursor {
 public:
  // The most objects that are looked at in one call: about two milliseconds.
  static constexpr size_t kScan = 16384;

  ListCursor(Snapshot snapshot, ListSpec spec);

  enum class Step : uint8_t {
    kPieces,  // Something was added.
    kBlocks,  // Nothing was, and blocks() are what comes next.
    kYield,   // Nothing yet: to be called again, in a later turn.
    kEnd,     // The body is complete.
  };
  // Adds pieces of at least one item (or head or tail) until `max_bytes` are reached or the body is
  // over; they stay valid until `gather` is cleared, and as long as the cursor lives.
  Step Next(size_t max_bytes, Gather& gather);

  // From now on whole leaves may come as gzip blocks, ready for any number of answers: only where
  // total_bytes() is known.
  void UseBlocks() { uses_blocks_ = true; }
  // Valid until the next call of Next().
  const http::DeflatedBlocks& blocks() const { return *blocks_; }

  // Of the whole body, known beforehand only where the filter is scope-only and there is no limit;
  // else 0.
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t items() const { return items_; }  // Written so far.

 private:
  void SetRange();
  // Looks for the objects of the answer. False: not done yet.
  bool Find();
  void EndFind(uint64_t limit);
  void WriteFrame(uint64_t items_bytes);
  // The next item to write, null at the end; steps behind it. `scanned` counts what was looked at;
  // null too when that reaches kScan, with `yield` set.
  const Object* NextItem(size_t& scanned, bool& yield);
  bool InRange() const;
  // The leaf that begins here, if all of it is to be sent as blocks.
  std::optional<ObjectTree::Leaf> NextLeaf() const;
  bool FindAmongCandidates();

  Snapshot snapshot_;
  ListSpec spec_;
  const Framing framing_;
  ObjectTree::Cursor cursor_;
  std::string start_, end_;  // Keys in [start_, end_) are looked at; end_ "" for no end.
  uint64_t objects_in_range_ = 0;
  std::string head_, tail_, empty_tail_;
  uint64_t total_bytes_ = 0;
  size_t next_candidate_ = 0;
  // The objects of the answer, found before the head is written: the head of built-in lists names
  // what remains, and that of protobuf the size of all. The snapshot keeps them alive.
  std::vector<const Object*> found_;
  size_t found_index_ = 0;
  bool finds_ = false;  // `found_` has all that is written.
  bool ready_ = false;  // The head is made.
  uint64_t found_bytes_ = 0;
  std::string continue_token_;
  uint64_t remaining_ = 0;  // 0: not said.
  bool uses_blocks_ = false;
  const http::DeflatedBlocks* blocks_ = nullptr;
  http::DeflatedBlocks spare_;
  bool head_written_ = false;
  bool done_ = false;
  uint64_t items_ = 0;
};

}  // namespace weir
