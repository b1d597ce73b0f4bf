#include "protocol/k8s/proto_frame.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString(absl::string_view(bytes.data(), bytes.size()));
}

std::string EnvelopeHead(std::string_view type_meta, size_t message_bytes) {
  std::string head(ProtoEnvelopeHeadBytes(type_meta, message_bytes), '\0');
  EXPECT_EQ(PutProtoEnvelopeHead(head.data(), type_meta, message_bytes), head.data() + head.size());
  return head;
}

std::string EventHead(std::string_view type, std::string_view type_meta, size_t message_bytes) {
  std::string head(ProtoEventHeadBytes(type, type_meta, message_bytes), '\0');
  EXPECT_EQ(PutProtoEventHead(head.data(), type, type_meta, message_bytes),
            head.data() + head.size());
  return head;
}

// The last field of `number` in a message, which must be well formed.
std::string_view Only(std::string_view message, uint32_t number) {
  ProtoReader reader(message);
  ProtoField field;
  std::string_view found;
  while (reader.Next(field)) {
    if (field.number == number) found = field.bytes;
  }
  EXPECT_FALSE(reader.failed());
  return found;
}

TEST(ProtoFrameTest, EmptyListIsUpstreams) {  // L46
  EXPECT_EQ(
      Hex(ProtoListHead(ProtoTypeMeta("v1", "PodList"), 100, "", 0, 0)) + Hex(kProtoEnvelopeTail),
      "6b3873000a0d0a0276311207506f644c697374120b0a090a0012033130301a001a002200");
}

TEST(ProtoFrameTest, AListCountsItsItems) {
  const std::string type_meta = ProtoTypeMeta("v1", "PodList");
  for (const size_t size : {0u, 1u, 127u, 128u, 20'000u, 3'000'000u}) {
    const std::string item(size, 'x');
    std::string list = ProtoListHead(type_meta, 12746, "token", 7, 2 * ProtoItemBytes(size));
    for (int i = 0; i < 2; ++i) {
      char head[kMaxProtoItemHead];
      char* const end = PutProtoItemHead(head, size);
      EXPECT_EQ(static_cast<size_t>(end - head) + size, ProtoItemBytes(size));
      list.append(head, end).append(item);
    }
    list.append(kProtoEnvelopeTail);

    ASSERT_TRUE(list.starts_with(kProtoMagic));
    const std::string_view message = Only(std::string_view(list).substr(4), 2);
    EXPECT_EQ(Only(message, 2), item);
    const std::string_view meta = Only(message, 1);
    EXPECT_EQ(Hex(meta),
              "0a00"
              "12053132373436"
              "1a05746f6b656e"
              "2007");
  }
}

TEST(ProtoFrameTest, AnEnvelopeHoldsItsMessage) {
  const std::string type_meta = ProtoTypeMeta("apps/v1", "Deployment");
  for (const size_t size : {0u, 127u, 128u, 16'383u, 16'384u, 3'000'000u}) {
    const std::string message(size, 'x');
    const std::string object =
        EnvelopeHead(type_meta, size) + message + std::string(kProtoEnvelopeTail);
    ASSERT_TRUE(object.starts_with(kProtoMagic));
    const std::string_view unknown = std::string_view(object).substr(4);
    EXPECT_EQ(Only(unknown, 2), message);
    EXPECT_EQ(Only(Only(unknown, 1), 1), "apps/v1");
    EXPECT_EQ(Only(Only(unknown, 1), 2), "Deployment");
  }
}

TEST(ProtoFrameTest, EventsNestFrameEventAndEnvelope) {
  const std::string type_meta = ProtoTypeMeta("v1", "Pod");
  // Sizes at which one of the three lengths gets another byte, and around them.
  for (size_t size = 0; size < 70'000; size += size < 300 || size > 16'300 ? 1 : 97) {
    if (size > 16'500 && size < 69'000) size = 69'000;
    const std::string message(size, 'x');
    const std::string frame =
        EventHead("MODIFIED", type_meta, size) + message + std::string(kProtoEnvelopeTail);
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(frame[i]);
    ASSERT_EQ(length + 4, frame.size());
    const std::string_view event = std::string_view(frame).substr(4);
    EXPECT_EQ(Only(event, 1), "MODIFIED");
    const std::string_view object = Only(Only(event, 2), 1);
    ASSERT_TRUE(object.starts_with(kProtoMagic));
    EXPECT_EQ(object.substr(0, object.size() - size - kProtoEnvelopeTail.size()),
              EnvelopeHead(type_meta, size));
    EXPECT_EQ(Only(object.substr(4), 2), message);
  }
}

TEST(ProtoFrameTest, BookmarksAreUpstreams) {
  EXPECT_EQ(
      Hex(ProtoBookmarkFrame(ProtoTypeMeta("meta.k8s.io/v1", "PartialObjectMetadata"), {12746},
                             false)),
      "000000580a08424f4f4b4d41524b124c0a4a6b3873000a270a0e6d6574612e6b38732e696f2f76311215506172"
      "7469616c4f626a6563744d6574616461746112170a150a0012001a0022002a0032053132373436380042001a00"
      "2200");
  EXPECT_EQ(Hex(ProtoBookmarkFrame(ProtoTypeMeta("v1", "ConfigMap"), {12746}, true)),
            "000000630a08424f4f4b4d41524b12570a556b3873000a0f0a0276311209436f6e6669674d6170123a0a38"
            "0a0012001a00"
            "22002a00320531323734363800420062210a196b38732e696f2f696e697469616c2d6576656e74732d656e"
            "641204747275651a002200");
}

TEST(ProtoFrameTest, ErrorEventsAreUpstreams) {  // W02
  EXPECT_EQ(Hex(ProtoErrorFrame(ApiError::WatchExpired(5, 100))),
            "000000630a054552524f52125a0a586b3873000a0c0a027631120653746174757312400a060a0012001a00"
            "12074661696c757265"
            "1a21746f6f206f6c64207265736f757263652076657273696f6e3a20352028313030292207457870697265"
            "64309a031a002200");
}

TEST(ProtoFrameTest, StatusWritesDetailsOnlyWhereThereAreSome) {
  const std::string plain = ProtoStatus(ApiError::Unauthorized());
  EXPECT_EQ(Hex(plain),
            "6b387300"
            "0a0c0a027631120653746174757312"
            "30"
            "0a060a0012001a00"
            "12074661696c757265"
            "1a0c" +
                Hex("Unauthorized") + "220c" + Hex("Unauthorized") +
                "309103"
                "1a002200");

  const std::string late = ProtoStatus(ApiError::TooLargeResourceVersion(999, 100));
  const std::string_view status = Only(std::string_view(late).substr(4), 2);
  EXPECT_EQ(Only(status, 4), "Timeout");
  const std::string_view details = Only(status, 5);
  EXPECT_EQ(Hex(details.substr(0, 6)), "0a0012001a00");
  EXPECT_EQ(Only(Only(details, 4), 1), "ResourceVersionTooLarge");
  EXPECT_EQ(Only(Only(details, 4), 2), "Too large resource version");
  EXPECT_TRUE(
      Hex(details).ends_with("1a00"
                             "2801"
                             "3200"))
      << Hex(details);
}

}  // namespace
}  // namespace weir
