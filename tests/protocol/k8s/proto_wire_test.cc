#include "protocol/k8s/proto_wire.h"

#include <cstdint>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace weir {
namespace {

using std::string_literals::operator""s;

// "1:varint=150 2:bytes=ab", and "!" at the end where it is malformed.
std::string Read(std::string_view message) {
  const std::string on_heap(message);  // So that a read behind the end is seen.
  ProtoReader reader(on_heap);
  std::string seen;
  for (ProtoField field; reader.Next(field);) {
    if (!seen.empty()) seen += ' ';
    seen += std::to_string(field.number);
    seen += field.type == WireType::kVarint ? "=" + std::to_string(field.varint)
                                            : "=" + std::string(field.bytes);
  }
  return seen + (reader.failed() ? "!" : "");
}

TEST(ProtoWireTest, FieldsAreReadInTheirOrder) {
  EXPECT_EQ(Read(""), "");
  EXPECT_EQ(Read("\x08\x96\x01\x12\x02zz\x12\x00"s), "1=150 2=zz 2=");
  EXPECT_EQ(Read("\x09"s + "01234567" + "\x15" + "abcd"), "1=01234567 2=abcd");
}

TEST(ProtoWireTest, PositionsCutFieldsWithTheirTags) {
  const std::string message = "\x08\x96\x01\x12\x02zz"s;
  ProtoReader reader(message);
  ProtoField field;
  EXPECT_EQ(reader.position(), 0u);
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(field.bytes, "\x96\x01");
  EXPECT_EQ(reader.position(), 3u);
  ASSERT_TRUE(reader.Next(field));
  EXPECT_EQ(reader.position(), message.size());
  EXPECT_FALSE(reader.Next(field));
}

TEST(ProtoWireTest, MalformedFieldsEndTheReading) {
  for (const std::string& bad : {
           "\x00\x01"s,                                          // Field 0.
           "\x80\x80\x80\x80\x10\x00"s,                          // Field 2^29.
           "\x0b"s,                                              // A group begins …
           "\x0c"s,                                              // … ends.
           "\x0e\x00"s,                                          // Wire type 6.
           "\x0f\x00"s,                                          // Wire type 7.
           "\x0a"s,                                              // No length.
           "\x0a\x02z"s,                                         // Longer than the rest.
           "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01zz"s,    // Much longer.
           "\x08"s,                                              // No value.
           "\x08\x80"s,                                          // A value that goes on.
           "\x08\x80\x00"s,                                      // Not the shortest.
           "\x88\x00\x01"s,                                      // Nor is this tag.
           "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,      // 65 bits.
           "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,  // Eleven bytes.
           "\x09"s + "0123456",                                  // Fixed, cut.
           "\x0d"s + "012",
       }) {
    EXPECT_EQ(Read(bad), "!");
    EXPECT_EQ(Read("\x08\x05"s + bad + "\x08\x05"s).substr(0, 3), "1=5");
  }
}

TEST(ProtoWireTest, AReaderThatFailedStaysSo) {
  ProtoReader reader("\x0f\x08\x05");
  ProtoField field;
  EXPECT_FALSE(reader.Next(field));
  EXPECT_FALSE(reader.Next(field));
  EXPECT_TRUE(reader.failed());
}

TEST(ProtoWireTest, VarintsOfEveryLengthAreReadAsWritten) {
  for (int bits = 0; bits <= 64; ++bits) {
    const uint64_t value = bits == 0 ? 0 : std::numeric_limits<uint64_t>::max() >> (64 - bits);
    char bytes[kMaxVarintBytes];
    const char* const end = PutVarint(bytes, value);
    EXPECT_EQ(static_cast<size_t>(end - bytes), VarintBytes(value)) << value;
    uint64_t read = 1;
    EXPECT_EQ(ReadVarint(bytes, end, read), end);
    EXPECT_EQ(read, value);
    EXPECT_EQ(ReadVarint(bytes, end - 1, read), nullptr) << value;
  }
}

TEST(ProtoWireTest, WrittenFieldsAreReadBack) {
  std::string message;
  AppendVarintField(message, 6, 410);
  AppendBytesField(message, 17, std::string(200, 'x'));
  AppendBytesField(message, kMaxFieldNumber, "");
  EXPECT_EQ(Read(message),
            "6=410 17=" + std::string(200, 'x') + " " + std::to_string(kMaxFieldNumber) + "=");
  EXPECT_EQ(message.size(), 3 + BytesFieldBytes(17, 200) + BytesFieldBytes(kMaxFieldNumber, 0));
}

}  // namespace
}  // namespace weir
