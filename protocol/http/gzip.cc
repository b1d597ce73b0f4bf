#include "protocol/http/gzip.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace weir::http {
namespace {

using namespace std::string_view_literals;

// No name, no time; "fastest", and no particular system, as Go's writer says.
constexpr std::string_view kHeader = "\x1f\x8b\x08\0\0\0\0\0\x04\xff"sv;
// A block with nothing in it, stored. Where one comes, a reader gives all it has; Go's gives the
// end of other blocks only when it has seen what follows them.
constexpr std::string_view kEmptyBlock = "\0\0\0\xff\xff"sv;
// A last block with nothing in it.
constexpr std::string_view kLastBlock = "\x03\0"sv;

// The compressor of a thread, with room for one block and its outcome.
class Deflater {
 public:
  // Collects `bytes` and gives what did not fit.
  std::string_view Take(std::string_view bytes) {
    const size_t taken = std::min(bytes.size(), input_.size() - filled_);
    if (taken > 0) std::memcpy(input_.data() + filled_, bytes.data(), taken);
    filled_ += taken;
    return bytes.substr(taken);
  }
  bool empty() const { return filled_ == 0; }

  // Appends what was collected as blocks of their own, counts it in, and is empty again.
  void Flush(uint32_t& crc, uint32_t& length, std::string& out) {
    const auto size = static_cast<uint32_t>(filled_);
    filled_ = 0;
    crc = crc32_gzip_refl(crc, input_.data(), size);
    length += size;
    out.append(Deflate(size));
  }

 private:
  std::string_view Deflate(uint32_t size) {
    isal_deflate_stateless_init(&stream_);
    stream_.level = 1;
    stream_.level_buf = tables_.data();
    stream_.level_buf_size = static_cast<uint32_t>(tables_.size());
    stream_.flush = FULL_FLUSH;
    stream_.end_of_stream = 0;
    stream_.next_in = input_.data();
    stream_.avail_in = size;
    stream_.next_out = output_.data();
    stream_.avail_out = static_cast<uint32_t>(output_.size());
    // Only a lack of room can fail, and there is more than stored blocks would need.
    if (isal_deflate_stateless(&stream_) != COMP_OK || stream_.avail_in != 0) std::abort();
    return {reinterpret_cast<const char*>(output_.data()), stream_.total_out};
  }

  size_t filled_ = 0;
  std::array<uint8_t, GzipWriter::kBlockBytes> input_;
  std::array<uint8_t, GzipWriter::kBlockBytes + 4096> output_;
  std::array<uint8_t, ISAL_DEF_LVL1_SMALL> tables_;  // Larger ones are no faster on our blocks.
  isal_zstream stream_{};
};

Deflater& ThreadDeflater() {
  thread_local const auto deflater = std::make_unique_for_overwrite<Deflater>();
  return *deflater;
}

// Appends `pieces` as blocks, and counts them in.
void AppendBlocks(std::span<const std::string_view> pieces, uint32_t& crc, uint32_t& length,
                  std::string& out) {
  Deflater& deflater = ThreadDeflater();
  for (std::string_view piece : pieces) {
    for (piece = deflater.Take(piece); !piece.empty(); piece = deflater.Take(piece)) {
      deflater.Flush(crc, length, out);
    }
  }
  if (deflater.empty()) return;
  deflater.Flush(crc, length, out);
  // ISA-L's flush adds one only to what it compresses, not to what it stores.
  out.append(kEmptyBlock);
}

void AppendLittleEndian(uint32_t number, std::string& out) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(number >> shift & 0xFF);
}

}  // namespace

void GzipWriter::Begin(std::string& out) {
  if (begun_) return;
  begun_ = true;
  out.append(kHeader);
}

void GzipWriter::Add(std::span<const std::string_view> pieces, std::string& out) {
  Begin(out);
  AppendBlocks(pieces, crc_, length_, out);
}

void GzipWriter::Add(const DeflatedBlocks& blocks, std::string& out) {
  Begin(out);
  out.append(blocks.bytes);
  crc_ = static_cast<uint32_t>(crc32_combine(crc_, blocks.crc, blocks.length));
  length_ += blocks.length;
}

void GzipWriter::Finish(std::string& out) {
  Begin(out);
  out.append(kLastBlock);
  AppendLittleEndian(crc_, out);
  AppendLittleEndian(length_, out);
  *this = GzipWriter();
}

DeflatedBlocks Deflate(std::span<const std::string_view> pieces) {
  DeflatedBlocks blocks;
  AppendBlocks(pieces, blocks.crc, blocks.length, blocks.bytes);
  blocks.bytes.shrink_to_fit();
  return blocks;
}

std::string GzipMember(std::span<const std::string_view> pieces) {
  std::string out;
  GzipWriter writer;
  writer.Add(pieces, out);
  writer.Finish(out);
  return out;
}

}  // namespace weir::http
