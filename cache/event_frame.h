// What one change means to one filter, and the frames that say so: gathers of slices, without a
// copy.
//
//   {"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",   rest of the object   }\n
//   └ FrameHeads, made once per form ────────────────────────────┘
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/batch.h"
#include "cache/filter.h"
#include "cache/snapshot.h"

namespace weir {

// How a change moves an object through a filter (api-semantics 3.5).
enum class Transition : uint8_t {
  kNone,     // Outside before and after.
  kEnters,   // ADDED with the new state.
  kStays,    // MODIFIED with the new state.
  kLeaves,   // DELETED with the previous state and the new revision: it still exists, but outside.
  kDeleted,  // DELETED with the last state and the deletion's revision.
};

Transition TransitionOf(const Filter& filter, const LogEvent& event);

// A frame up to the object's own bytes, for each type. Immutable.
struct FrameHeads {
  explicit FrameHeads(const TypeForm& form);
  std::string added, modified, deleted;
};

// Collects frames for one write. Holds views only: the objects and heads must outlive the write.
// Reused: after the first few writes it allocates nothing.
class FrameGather {
 public:
  void Clear();
  void AddEvent(const FrameHeads& heads, Transition transition, const LogEvent& event);
  void AddInitial(const FrameHeads& heads, const Object& object);
  void AddFrame(std::shared_ptr<const std::string> frame);  // A whole one; kept until Clear().

  // Whether a frame of `frame_bytes` still belongs into a write of at most `limit`; the first one
  // always does.
  bool Fits(size_t frame_bytes, size_t limit) const {
    return empty() || bytes_ + frame_bytes <= limit;
  }
  static size_t EventBytes(const FrameHeads& heads, Transition transition, const LogEvent& event);
  static size_t InitialBytes(const FrameHeads& heads, const Object& object);

  bool empty() const { return pieces_.empty(); }
  size_t bytes() const { return bytes_; }
  size_t frames() const { return frames_; }
  std::span<const std::string_view> pieces() const { return pieces_; }

 private:
  void Add(std::string_view piece) {
    pieces_.push_back(piece);
    bytes_ += piece.size();
  }

  std::vector<std::string_view> pieces_;
  std::vector<std::shared_ptr<const std::string>> kept_;
  size_t bytes_ = 0;
  size_t frames_ = 0;
};

}  // namespace weir
