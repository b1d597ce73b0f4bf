#include "protocol/k8s/proto_list_reader.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_frame.h"

namespace weir {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Outcome {
  std::vector<std::string> items;
  StatusOr<ListSummary> summary = Cancelled("not finished");
};

// Feeds pieces that live on the heap at their exact size: reading past the padding is seen by ASan.
Outcome ReadInPieces(std::string_view body, size_t piece, size_t max_item_bytes = 1 << 20) {
  Outcome outcome;
  const auto reader = MakeListReader(
      Encoding::kProtobuf,
      [&outcome](std::string_view item) {
        // The padding must be readable, whatever it holds.
        volatile char last = item.data()[item.size() + MetadataScanner::kPadding - 1];
        (void)last;
        outcome.items.emplace_back(item);
        return OkStatus();
      },
      max_item_bytes);
  for (size_t at = 0; at < body.size(); at += piece) {
    const std::string_view bytes = body.substr(at, piece);
    const auto copy = std::make_unique<char[]>(bytes.size());
    bytes.copy(copy.get(), bytes.size());
    if (!reader->Feed({copy.get(), bytes.size()}).ok()) break;
  }
  outcome.summary = reader->Finish();
  return outcome;
}

Outcome Read(std::string_view body) { return ReadInPieces(body, body.size()); }

std::string List(const std::vector<std::string>& items, uint64_t remaining = 0) {
  size_t items_bytes = 0;
  for (const std::string& item : items) items_bytes += ProtoItemBytes(item.size());
  std::string list =
      ProtoListHead(ProtoTypeMeta("v1", "PodList"), 100, "abc", remaining, items_bytes);
  for (const std::string& item : items) AppendBytesField(list, 2, item);
  return list.append(kProtoEnvelopeTail);
}

// An envelope of any fields around a message of any fields.
std::string Body(std::string_view message, std::string_view kind = "PodList",
                 std::string_view behind = kProtoEnvelopeTail) {
  std::string body(kProtoMagic);
  body.append(ProtoTypeMeta("v1", kind));
  AppendBytesField(body, 2, message);
  return body.append(behind);
}

TEST(ProtoListReaderTest, AListIsTheSameHoweverTheBytesAreCut) {
  const std::string long_item(300, 'x');
  const std::string body = List({"first", long_item, "", "last"}, 3);
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    const Outcome outcome = ReadInPieces(body, piece);
    ASSERT_TRUE(outcome.summary.ok()) << piece;
    EXPECT_EQ(outcome.summary->kind, "PodList");
    EXPECT_EQ(outcome.summary->api_version, "v1");
    EXPECT_EQ(outcome.summary->resource_version, "100");
    EXPECT_EQ(outcome.summary->continue_token, "abc");
    ASSERT_THAT(outcome.items, ElementsAre("first", long_item, "", "last"));
  }
}

TEST(ProtoListReaderTest, EmptyListsHaveNoItems) {
  for (const std::string& body : {List({}), Body("")}) {
    const Outcome outcome = Read(body);
    ASSERT_TRUE(outcome.summary.ok());
    EXPECT_THAT(outcome.items, IsEmpty());
  }
}

TEST(ProtoListReaderTest, UnknownFieldsOfEveryKindAreSkipped) {
  const std::string unknown =
      "\x79"s + "01234567" + "\x7d" + "0123" + "\x78\x96\x01" + "\x7a\x03" + "abc";
  std::string message;
  AppendBytesField(message, 2, "item");
  const std::string body =
      std::string(kProtoMagic) + unknown + Body(unknown + message + unknown).substr(4) + unknown;
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    const Outcome outcome = ReadInPieces(body, piece);
    ASSERT_TRUE(outcome.summary.ok()) << piece;
    ASSERT_THAT(outcome.items, ElementsAre("item"));
  }
}

TEST(ProtoListReaderTest, ABodyThatEndsEarlyIsNoList) {
  const std::string body = List({"first", "second"});
  // The empty content encoding and type at the end, and each of them, may be left out.
  for (size_t size = 0; size < body.size() - kProtoEnvelopeTail.size(); ++size) {
    const Outcome outcome = ReadInPieces(body.substr(0, size), 7);
    EXPECT_EQ(outcome.summary.status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(ProtoListReaderTest, OtherBodiesAreRefused) {
  const std::string list = List({"item"});
  for (const std::string& body : {
           "{\"kind\":\"PodList\"}"s,
           "k8s\x01"s + list.substr(4),
           list + list,                             // Two messages.
           list + ProtoTypeMeta("v1", "PodList"),   // Its type again, behind it.
           Body("", "Status"),                      // No list.
           Body("", ""),                            //
           std::string(kProtoMagic) + "\x12\x00"s,  // No type.
           Body("", "PodList", "\x1a\x04gzip"s),    // Encoded.
           Body("\x10\x05"s),                       // An item that is a number.
           Body("\x0a\x00\x0a\x00"s),               // Two metadata.
           Body("\x0a\x03\x12\x05z"s),              // Malformed metadata.
           Body("\x12\x05"s),                       // An item behind the list's end.
           Body("\x12"s),                           // A tag without more.
           Body("\x12\x80"s),                       // A length without its end.
           Body("\x7d"
                "012"),                             //
           Body("\x0b"s),                           // A group.
           Body("\x00\x00"s),                       // Field 0.
           Body("\x12\x80\x00"s),                   // A length not in its shortest form.
           Body("\x12" + std::string(11, '\x80')),  // An endless one.
           Body("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s),
       }) {
    for (const size_t piece : {size_t{1}, body.size()}) {
      EXPECT_EQ(ReadInPieces(body, piece).summary.status().code(),
                absl::StatusCode::kInvalidArgument)
          << testing::PrintToString(body);
    }
  }
}

TEST(ProtoListReaderTest, AnItemAboveTheBoundIsRefusedByItsLengthAlone) {
  const std::string body = List({"small", std::string(101, 'x')});
  const size_t begin_of_item = body.find('x');
  const Outcome outcome = ReadInPieces(body.substr(0, begin_of_item), 5, 100);
  EXPECT_EQ(outcome.summary.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(outcome.items, ElementsAre("small"));
  EXPECT_TRUE(ReadInPieces(List({std::string(100, 'x')}), 5, 100).summary.ok());
}

TEST(ProtoListReaderTest, ErrorsOfTheReceiverEndTheReading) {
  int calls = 0;
  ProtobufListReader reader([&calls](std::string_view) {
    ++calls;
    return FailedPrecondition("no");
  });
  const std::string body = List({"a", "b"});
  EXPECT_EQ(reader.Feed(body).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader.Feed(body).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader.Finish().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir
