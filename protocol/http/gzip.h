// gzip (RFC 1952) of what is written piece by piece, fast rather than small: level 1 of ISA-L.
//
// A member here is a chain of deflate blocks that each depend on nothing before them and end on a
// byte. So a member under way is three numbers: the compressor itself belongs to the thread, is
// lent for the length of a call and is not held by streams that wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace weir::http {

// Bytes compressed as blocks that depend on nothing before them and end on a byte: made once, a
// part of any number of members.
struct DeflatedBlocks {
  std::string bytes;
  uint32_t crc = 0;     // CRC-32 of what was compressed,
  uint32_t length = 0;  // and its size; below 4 GiB.
};
DeflatedBlocks Deflate(std::span<const std::string_view> pieces);

// One member after the other: after Finish() the next Add() begins a new one, and readers take
// the concatenation for one body. 12 bytes; any thread, one at a time. The first use on a thread
// makes its compressor, 700 KiB that stay until the thread ends.
class GzipWriter {
 public:
  // What is compressed at once. More in one Add() is cut into such blocks; much less costs ratio
  // and speed, since nothing is remembered between them (JSON: 11 times smaller in blocks of
  // 256 KiB, 10 of 64 KiB, 6 of 16 KiB, 3 of 5 KiB).
  static constexpr size_t kBlockBytes = size_t{256} * 1024;

  // Appends `pieces`, one after the other, compressed, to `out`. All of it can be read as soon as
  // it arrives. At worst `out` grows by 1/10,000 more than the pieces hold, and 40 bytes.
  void Add(std::span<const std::string_view> pieces, std::string& out);
  // Appends what was compressed before: a copy of the compressed bytes.
  void Add(const DeflatedBlocks& blocks, std::string& out);
  // Appends the member's end; of nothing that was added, an empty member.
  void Finish(std::string& out);
  // Whether a member is under way.
  bool begun() const { return begun_; }

 private:
  void Begin(std::string& out);

  bool begun_ = false;
  uint32_t crc_ = 0;
  uint32_t length_ = 0;  // Modulo 2³², as the format has it.
};

// All of `pieces` as one whole member.
std::string GzipMember(std::span<const std::string_view> pieces);

}  // namespace weir::http
