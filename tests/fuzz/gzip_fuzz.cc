// Compression of any bytes: what zlib reads is what was added, however it was cut. The first byte
// is the length of the pieces, the second how many make one Add().
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/http/gzip.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Compress(std::string_view text, size_t piece, size_t pieces_each) {
  weir::http::GzipWriter writer;
  std::string out;
  std::vector<std::string_view> pieces;
  for (; !text.empty(); text.remove_prefix(pieces.back().size())) {
    if (pieces.size() == pieces_each) {
      writer.Add(pieces, out);
      pieces.clear();
    }
    pieces.push_back(text.substr(0, piece));
  }
  writer.Add(pieces, out);
  writer.Finish(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string member = Compress(text, size_t{data[0]} + 1, size_t{data[1]} + 1);

  std::string read(text.size() + 1, '\0');
  z_stream stream{};
  Require(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(member.data());
  stream.avail_in = static_cast<uInt>(member.size());
  stream.next_out = reinterpret_cast<Bytef*>(read.data());
  stream.avail_out = static_cast<uInt>(read.size());
  Require(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  Require(stream.avail_in == 0);
  read.resize(stream.total_out);
  inflateEnd(&stream);
  Require(read == text);
  return 0;
}
