#include "protocol/k8s/proto_splice.h"

#include <string>

#include "gtest/gtest.h"
#include "protocol/k8s/proto_wire.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

// Where the scan finds the metadata field and the digits in an object made by ProtoObject.
struct Spans {
  Span metadata, digits;
};
Spans Find(const std::string& message) {
  ProtoReader reader(message);
  ProtoField field;
  EXPECT_TRUE(reader.Next(field));
  Spans spans;
  spans.metadata = {0, static_cast<uint32_t>(reader.position())};
  ProtoReader inside(field.bytes);
  while (inside.Next(field)) {
    if (field.number != 6) continue;
    spans.digits = {static_cast<uint32_t>(field.bytes.data() - message.data()),
                    static_cast<uint32_t>(field.bytes.size())};
  }
  return spans;
}

std::string Splice(const std::string& message, uint64_t revision, bool metadata_only = false) {
  const Spans spans = Find(message);
  const std::string digits = std::to_string(revision);
  const std::string_view whole = metadata_only ? spans.metadata.In(message) : message;
  char scratch[kSpliceScratch];
  std::array<std::string_view, kMaxSplicePieces> pieces;
  size_t count = 0;
  SpliceRevision(whole, spans.metadata, spans.digits, digits, scratch, pieces, count);
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    EXPECT_FALSE(pieces[i].empty());
    out.append(pieces[i]);
  }
  EXPECT_EQ(out.size(), SplicedMessageBytes(whole, spans.metadata, spans.digits, digits.size()));
  return out;
}

TEST(ProtoSpliceTest, AnotherRevisionIsTheObjectAsUpstreamWouldWriteIt) {
  // Metadata around the sizes at which its length gets another byte.
  for (const size_t padding :
       {0u, 70u, 80u, 85u, 90u, 95u, 100u, 200u, 16'300u, 16'340u, 16'350u}) {
    for (uint64_t from : {1ull, 99ull, 12746ull, 18446744073709551615ull}) {
      for (uint64_t to : {1ull, 9ull, 10ull, 12747ull, 999'999ull, 18446744073709551615ull}) {
        ProtoObject object{.namespace_ = "shop", .name = std::string(padding + 1, 'n')};
        object.uid = "u-1";
        object.labels = {{"app", "web"}};
        object.rest = "\x12\x02zz";
        object.revision = from;
        const std::string message = object.Message();
        object.revision = to;
        EXPECT_EQ(Splice(message, to), object.Message());
        object.rest.clear();
        EXPECT_EQ(Splice(message, to, /*metadata_only=*/true), object.Message());
      }
    }
  }
}

TEST(ProtoSpliceTest, EqualDigitCountsNeedThreePieces) {
  const std::string message =
      ProtoObject{.name = "a", .revision = 100, .rest = "\x12\x02zz"}.Message();
  const Spans spans = Find(message);
  std::array<std::string_view, kMaxSplicePieces> pieces;
  size_t count = 0;
  char scratch[kSpliceScratch];
  SpliceRevision(message, spans.metadata, spans.digits, "101", scratch, pieces, count);
  ASSERT_EQ(count, 3u);
  EXPECT_EQ(pieces[0].data(), message.data());
  EXPECT_EQ(pieces[1], "101");
}

}  // namespace
}  // namespace weir
