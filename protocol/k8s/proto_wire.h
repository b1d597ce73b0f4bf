// The protobuf wire format: reading any bytes field by field, and writing
// (https://protobuf.dev/programming-guides/encoding). No message types: whoever reads knows the
// numbers of the few fields that it wants, and skips the rest by their lengths.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

// One field, as it stands in a message.
struct ProtoField {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t varint = 0;     // kVarint: its value.
  std::string_view bytes;  // The value's bytes; of kBytes those behind the length.
};

// Walks over the fields of one message, in their order; a message inside is a field of kBytes that
// gets a reader of its own. No allocation, any bytes are safe.
//
// Stricter than protobuf asks: varints must have their shortest form, as all that Kubernetes writes
// has, so that equal values have equal bytes. Groups, which Kubernetes has none of, are refused.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message)
      : begin_(message.data()), at_(begin_), end_(begin_ + message.size()) {}

  // The next field. False at the message's end, or for good once something is malformed: a varint
  // of more than 64 bits or not the shortest, a field number of 0 or above 2^29 - 1, another wire
  // type, a value that reaches behind the end.
  bool Next(ProtoField& field);
  bool failed() const { return failed_; }
  // Where the next field's tag begins.
  size_t position() const { return static_cast<size_t>(at_ - begin_); }

 private:
  bool Fail() {
    failed_ = true;
    at_ = end_;
    return false;
  }
  bool Varint(uint64_t& value);
  bool Take(uint64_t size, std::string_view& bytes);

  const char* begin_;
  const char* at_;
  const char* end_;
  bool failed_ = false;
};

inline constexpr uint32_t kMaxFieldNumber = (uint32_t{1} << 29) - 1;
inline constexpr size_t kMaxVarintBytes = 10;

// Reads a varint in [at, end); returns the byte behind it, or nullptr where none ends there or it
// is malformed.
const char* ReadLongVarint(const char* at, const char* end, uint64_t& value);
inline const char* ReadVarint(const char* at, const char* end, uint64_t& value) {
  if (at == end || static_cast<uint8_t>(*at) >= 0x80) return ReadLongVarint(at, end, value);
  value = static_cast<uint8_t>(*at);
  return at + 1;
}

inline size_t VarintBytes(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) + 6) / 7;
}
// The writers return where they stopped; the caller has the room.
inline char* PutVarint(char* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}
char* PutText(char* to, std::string_view text);

constexpr uint32_t ProtoTag(uint32_t number, WireType type) {
  return number << 3 | static_cast<uint32_t>(type);
}
// A field of kBytes: tag, length and `bytes`.
inline size_t BytesFieldBytes(uint32_t number, uint64_t bytes) {
  return VarintBytes(ProtoTag(number, WireType::kBytes)) + VarintBytes(bytes) + bytes;
}
// Its tag and length, which `bytes` bytes are to follow.
inline char* PutBytesHead(char* to, uint32_t number, uint64_t bytes) {
  return PutVarint(PutVarint(to, ProtoTag(number, WireType::kBytes)), bytes);
}
void AppendVarintField(std::string& out, uint32_t number, uint64_t value);
void AppendBytesField(std::string& out, uint32_t number, std::string_view bytes);

inline bool ProtoReader::Varint(uint64_t& value) {
  const char* const next = ReadVarint(at_, end_, value);
  if (next == nullptr) return Fail();
  at_ = next;
  return true;
}

inline bool ProtoReader::Take(uint64_t size, std::string_view& bytes) {
  if (size > static_cast<uint64_t>(end_ - at_)) return Fail();
  bytes = {at_, static_cast<size_t>(size)};
  at_ += size;
  return true;
}

inline bool ProtoReader::Next(ProtoField& field) {
  if (at_ == end_) return false;
  uint64_t tag = 0;
  if (!Varint(tag)) return false;
  if (tag >> 3 == 0 || tag >> 3 > kMaxFieldNumber) return Fail();
  field.number = static_cast<uint32_t>(tag >> 3);
  field.type = static_cast<WireType>(tag & 7);
  const char* const value = at_;
  uint64_t length = 0;
  switch (field.type) {
    case WireType::kBytes:
      return Varint(length) && Take(length, field.bytes);
    case WireType::kVarint:
      if (!Varint(field.varint)) return false;
      field.bytes = {value, static_cast<size_t>(at_ - value)};
      return true;
    case WireType::kFixed64:
      return Take(8, field.bytes);
    case WireType::kFixed32:
      return Take(4, field.bytes);
  }
  return Fail();
}

}  // namespace weir
