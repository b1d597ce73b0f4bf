// HTTP/2 frames and field blocks, byte for byte, well made or badly.
#pragma once

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

// Field blocks, with nothing checked: nghttp2's coder takes whatever it is given.
class HpackCoder {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  HpackCoder() {
    nghttp2_hd_deflate_new(&deflater_, 4096);
    nghttp2_hd_inflate_new(&inflater_);
  }
  ~HpackCoder() {
    nghttp2_hd_deflate_del(deflater_);
    nghttp2_hd_inflate_del(inflater_);
  }
  HpackCoder(const HpackCoder&) = delete;
  HpackCoder& operator=(const HpackCoder&) = delete;

  std::string Encode(const Fields& fields) {
    std::vector<nghttp2_nv> lines;
    for (const auto& [name, value] : fields) lines.push_back(Line(name, value));
    std::string block(nghttp2_hd_deflate_bound(deflater_, lines.data(), lines.size()), '\0');
    const ssize_t size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<uint8_t*>(block.data()),
                                               block.size(), lines.data(), lines.size());
    EXPECT_GE(size, 0);
    block.resize(static_cast<size_t>(size));
    return block;
  }
  Fields Decode(std::string_view block) {
    Fields fields;
    for (;;) {
      nghttp2_nv line;
      int flags = 0;
      const ssize_t used =
          nghttp2_hd_inflate_hd2(inflater_, &line, &flags,
                                 reinterpret_cast<const uint8_t*>(block.data()), block.size(), 1);
      EXPECT_GE(used, 0);
      if (used < 0) return fields;
      block.remove_prefix(static_cast<size_t>(used));
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        if ((line.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
          never_indexed.emplace_back(reinterpret_cast<char*>(line.name), line.namelen);
        fields.emplace_back(std::string(reinterpret_cast<char*>(line.name), line.namelen),
                            std::string(reinterpret_cast<char*>(line.value), line.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }
  // Bytes of the fields that the peer has had kept, as RFC 7541 §4.1 counts them.
  size_t kept_bytes() const { return nghttp2_hd_inflate_get_dynamic_table_size(inflater_); }
  // Names of fields that came with the wish that nobody keeps them.
  std::vector<std::string> never_indexed;

 private:
  static nghttp2_nv Line(const std::string& name, const std::string& value) {
    const auto bytes = [](const std::string& text) {
      return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  nghttp2_hd_deflater* deflater_ = nullptr;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

using Fields = HpackCoder::Fields;

inline std::string Number32(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((number >> shift) & 0xff);
  return bytes;
}
inline uint32_t ReadNumber32(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4 && i < bytes.size(); ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}
inline std::string FrameBytes(uint8_t type, uint8_t flags, uint32_t stream,
                              std::string_view payload) {
  std::string bytes = Number32(static_cast<uint32_t>(payload.size())).substr(1);
  bytes += static_cast<char>(type);
  bytes += static_cast<char>(flags);
  bytes += Number32(stream);
  bytes += payload;
  return bytes;
}
inline std::string Setting(uint16_t id, uint32_t value) {
  return std::string{static_cast<char>(id >> 8), static_cast<char>(id & 0xff)} + Number32(value);
}

}  // namespace weir
