// The slices of one write: views of objects' own bytes, and the few bytes that are made around
// them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace weir {

// Holds views only: what they show must outlive the write. Reused: after the first few writes it
// allocates nothing. Thread-affine.
class Gather {
 public:
  void Clear() {
    pieces_.clear();
    bytes_ = 0;
    block_ = 0;
    used_ = 0;
  }

  void Add(std::string_view piece) {
    pieces_.push_back(piece);
    bytes_ += piece.size();
  }
  // Room for at most `size` bytes (≤ kBlockBytes) that stays until Clear(); Commit() says how many
  // of them were written, and makes them a piece.
  char* Room(size_t size) {
    if (blocks_.empty() || used_ + size > kBlockBytes) NextBlock();
    return blocks_[block_].get() + used_;
  }
  void Commit(size_t size) {
    Add({blocks_[block_].get() + used_, size});
    used_ += size;
  }
  // Keeps what was written into the room, for pieces that the caller adds.
  void Keep(size_t size) { used_ += size; }

  bool empty() const { return pieces_.empty(); }
  size_t bytes() const { return bytes_; }
  std::span<const std::string_view> pieces() const { return pieces_; }

  static constexpr size_t kBlockBytes = 4096;

 private:
  void NextBlock() {
    if (!blocks_.empty()) ++block_;
    if (block_ == blocks_.size()) blocks_.push_back(std::make_unique<char[]>(kBlockBytes));
    used_ = 0;
  }

  std::vector<std::string_view> pieces_;
  size_t bytes_ = 0;
  std::vector<std::unique_ptr<char[]>> blocks_;
  size_t block_ = 0;  // The one in use,
  size_t used_ = 0;   // and how much of it.
};

}  // namespace weir
