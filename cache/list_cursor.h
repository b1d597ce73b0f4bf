// The body of one LIST, made piece by piece from a snapshot: memory is the write window, never the
// answer.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/filter.h"
#include "cache/snapshot.h"

namespace weir {

struct ListSpec {
  Filter filter;
  int64_t limit = 0;  // ≤ 0: all.
  std::string
      start_key;  // From a continue token, relative to the request's collection; "" at the start.
  bool key_is_namespaced =
      true;  // The resource is namespaced and the request names no namespace: keys "ns/name".
  Revision
      revision;  // What the answer says: the snapshot's own, or the exact one that was asked for.
};

// Thread-affine; holds the snapshot. Cost O(answer) with a scope-only filter, else O(range
// scanned). With a limit below the number of objects in range it also holds one pointer per object
// of the page.
class ListCursor {
 public:
  ListCursor(Snapshot snapshot, ListSpec spec);

  // Appends pieces of at least one item (or head or tail) until `max_bytes` are reached or the body
  // is over; the pieces stay valid until the next call. Returns the bytes appended; 0: the body is
  // complete.
  size_t Next(size_t max_bytes, std::vector<std::string_view>& pieces);

  // Of the whole body, known beforehand only where the filter is scope-only and there is no limit;
  // else 0.
  uint64_t total_bytes() const;
  uint64_t items() const { return items_; }  // Written so far.

 private:
  void SetRange();
  void FindPage(uint64_t in_range);
  void WriteFrame();
  // The next item to write, null at the end; steps behind it.
  const Object* NextItem();
  bool InRange() const;

  Snapshot snapshot_;
  ListSpec spec_;
  ObjectTree::Cursor cursor_;
  std::string start_, end_;  // Keys in [start_, end_) are looked at; end_ "" for no end.
  std::string head_, tail_;
  uint64_t total_bytes_ = 0;
  // With a limit that may cut the list: the page itself, found before the head is written, since
  // the head of built-in lists names what remains. The snapshot keeps the objects.
  std::vector<const Object*> page_;
  size_t page_index_ = 0;
  bool paged_ = false;
  std::string continue_token_;
  uint64_t remaining_ = 0;  // 0: not said.
  bool head_written_ = false;
  bool done_ = false;
  uint64_t items_ = 0;
};

}  // namespace weir
