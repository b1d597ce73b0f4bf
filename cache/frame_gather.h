// Frames of a watch for one write.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/framing.h"
#include "cache/gather.h"
#include "protocol/http/gzip.h"

namespace weir {

// Holds views only: the objects and the framing must outlive the write. Reused.
class FrameGather {
 public:
  void Clear() {
    gather_.Clear();
    writer_ = {};
    kept_.clear();
    member_.clear();
    frames_ = 0;
  }
  void AddEvent(const Framing& framing, Transition transition, const LogEvent& event) {
    framing.AddEvent(transition, event, gather_);
    ++frames_;
  }
  void AddInitial(const Framing& framing, const Object& object) {
    framing.AddInitial(object, gather_);
    ++frames_;
  }
  void AddFrame(std::shared_ptr<const std::string> frame) {  // A whole one; kept until Clear().
    gather_.Add(*frame);
    kept_.push_back(std::move(frame));
    ++frames_;
  }

  // Frames that were compressed before. Then Compress() must follow.
  void AddBlocks(const http::DeflatedBlocks& blocks, size_t frames) {
    CompressPieces();
    writer_.Add(blocks, member_);
    frames_ += frames;
  }

  // Whether a frame of `frame_bytes` still belongs into a write of at most `limit`; the first one
  // always does.
  bool Fits(size_t frame_bytes, size_t limit) const {
    return empty() || bytes() + frame_bytes <= limit;
  }

  // From now on the frames are one gzip member: made once, and sent to all that want the same.
  void Compress() {
    CompressPieces();
    writer_.Finish(member_);
    gather_.Add(member_);
  }

  bool empty() const { return frames_ == 0; }
  size_t bytes() const { return gather_.bytes() + (writer_.begun() ? member_.size() : 0); }
  size_t frames() const { return frames_; }
  std::span<const std::string_view> pieces() const { return gather_.pieces(); }

 private:
  void CompressPieces() {
    if (gather_.empty()) return;
    writer_.Add(gather_.pieces(), member_);
    gather_.Clear();
  }

  Gather gather_;
  std::vector<std::shared_ptr<const std::string>> kept_;
  http::GzipWriter writer_;
  std::string member_;  // What of the frames is compressed.
  size_t frames_ = 0;
};

}  // namespace weir
