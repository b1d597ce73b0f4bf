// Reads gzip as a client does.
#pragma once

#include <zlib.h>

#include <array>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace weir {

// What zlib reads out of `members`, one after the other; "broken" where any is not whole.
inline std::string Gunzip(std::string_view members) {
  std::string text;
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input(members);
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  std::array<char, 65536> buffer;
  int result = Z_OK;
  while (stream.avail_in > 0 || result == Z_OK) {
    if (result == Z_STREAM_END) inflateReset(&stream);
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    result = inflate(&stream, Z_NO_FLUSH);
    text.append(buffer.data(), buffer.size() - stream.avail_out);
    if (result != Z_OK && result != Z_STREAM_END) break;
  }
  inflateEnd(&stream);
  return result == Z_STREAM_END ? text : "broken";
}

}  // namespace weir
