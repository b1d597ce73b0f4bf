#include "protocol/k8s/proto_watch_frame.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/k8s/proto_frame.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

using std::string_literals::operator""s;
using ::testing::ElementsAre;

std::string Frame(std::string_view type, std::string_view message) {
  const std::string type_meta = ProtoTypeMeta("v1", "Pod");
  std::string frame(ProtoEventHeadBytes(type, type_meta, message.size()), '\0');
  PutProtoEventHead(frame.data(), type, type_meta, message.size());
  return frame.append(message).append(kProtoEnvelopeTail);
}

// `event` behind its length.
std::string Framed(std::string_view event) {
  std::string frame("\0\0\0"s);
  frame += static_cast<char>(event.size());
  return frame.append(event);
}

// All frames as "type object", and the error that ended the reading, if any.
std::vector<std::string> ReadInPieces(std::string_view stream, size_t piece,
                                      size_t max_frame_bytes = 1 << 20) {
  const auto reader = MakeWatchFrameReader(Encoding::kProtobuf, max_frame_bytes);
  std::vector<std::string> frames;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader->Feed(stream.substr(at, piece));
    for (WatchFrame frame;;) {
      const StatusOr<bool> more = reader->Next(frame);
      if (!more.ok()) {
        frames.emplace_back(absl::StatusCodeToString(more.status().code()));
        return frames;
      }
      if (!*more) break;
      EXPECT_EQ(frame.kind, "Pod");
      EXPECT_EQ(frame.api_version, "v1");
      frames.push_back(std::to_string(static_cast<int>(frame.type)) + " " +
                       std::string(frame.object));
    }
  }
  return frames;
}

TEST(ProtoWatchFrameTest, FramesAreTheSameHoweverTheBytesAreCut) {
  const std::string long_message(300, 'x');
  const std::string stream = Frame("ADDED", "a") + Frame("MODIFIED", long_message) +
                             Frame("DELETED", "") + Frame("BOOKMARK", "d");
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    ASSERT_THAT(ReadInPieces(stream, piece), ElementsAre("0 a", "1 " + long_message, "2 ", "3 d"))
        << piece;
  }
}

TEST(ProtoWatchFrameTest, AnIncompleteFrameIsHeldAndNothingElse) {
  ProtobufWatchFrameReader reader;
  WatchFrame frame;
  reader.Feed(Frame("ADDED", "a") + Frame("ADDED", "b").substr(0, 6));
  ASSERT_TRUE(reader.Next(frame).value());
  ASSERT_FALSE(reader.Next(frame).value());
  EXPECT_EQ(reader.pending(), 6u);
}

TEST(ProtoWatchFrameTest, FramesThatAreNoEventsEndTheStream) {
  const std::string object = "\x12\x0f\x0a\x0dk8s\0\x0a\x03\x12\x01z\x12\x02\x0a\x00"s;
  const std::string type = "\x0a\x05"s + "ADDED";
  ASSERT_THAT(ReadInPieces(Frame("ADDED", "a"), 1), ElementsAre("0 a"));
  for (const std::string& event : {
           ""s,
           type,                                                 // No object.
           object,                                               // No type.
           type + type + object,                                 //
           type + object + object,                               //
           "\x0a\x01X" + object,                                 // No type of an event.
           "\x08\x01" + object,                                  //
           type + "\x12\x00"s,                                   // No envelope.
           type + "\x12\x06\x0a\x04"s + "k8s\x01",               // Another magic.
           type + "\x12\x06\x0a\x04k8s\0"s,                      // No message.
           type + "\x12\x0c\x0a\x0ak8s\0\x12\x00\x1a\x02gz"s,    // Encoded.
           type + "\x12\x0a\x0a\x08k8s\0\x12\x00\x12\x00"s,      // Two messages.
           type + "\x12\x08\x0a\x06k8s\0\x12\x05"s,              // A message behind the end.
           type + "\x12\x0b\x0a\x09k8s\0\x0a\x01\x0f\x12\x00"s,  // A malformed type.
           type + object + "\x0f",                               //
           "{\"type\":\"ADDED\",\"object\":{}}"s,
       }) {
    EXPECT_THAT(ReadInPieces(Framed(event), 1000), ElementsAre("INVALID_ARGUMENT"))
        << testing::PrintToString(event);
  }
}

TEST(ProtoWatchFrameTest, AFrameAboveTheBoundIsRefusedByItsLengthAlone) {
  const std::string frame = Frame("ADDED", std::string(100, 'x'));
  EXPECT_EQ(ReadInPieces(frame, 1, frame.size() - 4).size(), 1u);
  EXPECT_THAT(ReadInPieces(frame.substr(0, 4), 1, frame.size() - 5),
              ElementsAre("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(ReadInPieces("\xff\xff\xff\xff", 1), ElementsAre("RESOURCE_EXHAUSTED"));
}

TEST(ProtoWatchFrameTest, ErrorsAreReadFromFramesAndBodies) {
  const ApiError error = ApiError::TooLargeResourceVersion(999, 100);
  ProtobufWatchFrameReader reader;
  reader.Feed(ProtoErrorFrame(error));
  WatchFrame frame;
  ASSERT_TRUE(reader.Next(frame).value());
  EXPECT_EQ(frame.type, FrameType::kError);
  EXPECT_EQ(frame.kind, "Status");
  const std::string body = ProtoStatus(error);
  for (const std::string_view bytes : {frame.object, std::string_view(body)}) {
    const StatusSummary summary = ReadProtobufStatus(bytes);
    EXPECT_EQ(summary.code, 504);
    EXPECT_EQ(summary.reason, "Timeout");
    EXPECT_EQ(summary.message, error.message);
  }
}

TEST(ProtoWatchFrameTest, OtherBytesAreNoError) {
  for (const std::string& bytes :
       {""s, "k8s\0"s, "{\"code\":410}"s, "\x30\x9a\x03\x0f"s, "\x32\x02\x30\x01"s,
        "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, Frame("ADDED", "a").substr(17)}) {
    EXPECT_EQ(ReadProtobufStatus(bytes).code, 0) << testing::PrintToString(bytes);
  }
}

TEST(ProtoWatchFrameTest, BookmarksHaveARevisionAndNoName) {
  ProtobufWatchFrameReader reader;
  reader.Feed(ProtoBookmarkFrame(ProtoTypeMeta("v1", "Pod"), {12746}, true));
  WatchFrame frame;
  ASSERT_TRUE(reader.Next(frame).value());
  EXPECT_EQ(frame.type, FrameType::kBookmark);
  EXPECT_EQ(ProtobufBookmarkRevision(frame.object).value(), Revision{12746});
  EXPECT_EQ(ProtobufBookmarkRevision(ProtoObject{.name = "a", .revision = 7}.Message()).value(),
            Revision{7});
  for (const std::string& message : {""s, "\x0a\x00"s, "\x0a\x02\x32\x00"s, "\x0a\x03\x32\x01x"s,
                                     "\x0a\x02\x30\x07"s, "\x08\x07"s,
                                     "\x0a\x03\x32\x01"
                                     "7\x0f"s}) {
    EXPECT_FALSE(ProtobufBookmarkRevision(message).ok()) << testing::PrintToString(message);
  }
}

}  // namespace
}  // namespace weir
