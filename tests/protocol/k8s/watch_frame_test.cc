#include "protocol/k8s/watch_frame.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace weir {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kStream =
    "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"a\":\"}}\"}}\n"
    "\n"
    "{\"type\":\"MODIFIED\",\"object\":{\"b\":{}}}\n"
    "{\"object\":{\"c\":1},\"type\":\"DELETED\"}\r\n"
    "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"7\"}}}\n";

// All frames as "type object", and the error that ended the reading, if any.
std::vector<std::string> ReadInPieces(std::string_view stream, size_t piece,
                                      size_t max_frame_bytes = 1 << 20) {
  JsonWatchFrameReader reader(max_frame_bytes);
  std::vector<std::string> frames;
  for (size_t at = 0; at < stream.size(); at += piece) {
    reader.Feed(stream.substr(at, piece));
    for (WatchFrame frame;;) {
      const StatusOr<bool> more = reader.Next(frame);
      if (!more.ok()) {
        frames.emplace_back(absl::StatusCodeToString(more.status().code()));
        return frames;
      }
      if (!*more) break;
      frames.push_back(std::to_string(static_cast<int>(frame.type)) + " " +
                       std::string(frame.object));
    }
  }
  return frames;
}

TEST(WatchFrameTest, FramesAreTheSameHoweverTheBytesAreCut) {
  for (size_t piece = 1; piece <= kStream.size(); ++piece) {
    ASSERT_THAT(ReadInPieces(kStream, piece),
                ElementsAre(R"(0 {"kind":"Pod","a":"}}"})", R"(1 {"b":{}})", R"(2 {"c":1})",
                            R"(3 {"metadata":{"resourceVersion":"7"}})"))
        << piece;
  }
}

TEST(WatchFrameTest, AnIncompleteFrameIsHeldAndNothingElse) {
  JsonWatchFrameReader reader;
  WatchFrame frame;
  reader.Feed("{\"type\":\"ADDED\",\"object\":{}}\n{\"ty");
  ASSERT_TRUE(reader.Next(frame).value());
  ASSERT_FALSE(reader.Next(frame).value());
  EXPECT_EQ(reader.pending(), 4u);
}

TEST(WatchFrameTest, LinesThatAreNoEventsEndTheStream) {
  for (const char* line :
       {"hello\n", "{}\n", "{\"type\":\"ADDED\"}\n", "{\"type\":\"X\",\"object\":{}}\n",
        "{\"type\":\"ADDED\",\"object\":[]}\n", "{\"type\":\"ADDED\",\"object\":{}\n"}) {
    EXPECT_THAT(ReadInPieces(line, 100), ElementsAre("INVALID_ARGUMENT")) << line;
  }
}

TEST(WatchFrameTest, FramesAboveTheBoundEndTheStreamBeforeTheyAreComplete) {
  const std::string frame =
      "{\"type\":\"ADDED\",\"object\":{\"a\":\"" + std::string(100, 'x') + "\"}}\n";
  EXPECT_THAT(ReadInPieces(frame, 10, 64), ElementsAre("RESOURCE_EXHAUSTED"));
  EXPECT_THAT(ReadInPieces(frame, 1000, 64), ElementsAre("RESOURCE_EXHAUSTED"));
  EXPECT_EQ(ReadInPieces(frame, 10, frame.size()).size(), 1u);
}

TEST(WatchFrameTest, BookmarksHaveUpstreamsKeyOrder) {
  EXPECT_EQ(BookmarkFrame("Pod", "v1", false, {12746}, false),
            "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
            "\"metadata\":{\"resourceVersion\":\"12746\"}}}\n");
  EXPECT_EQ(BookmarkFrame("Pod", "v1", false, {5}, true),
            "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
            "\"metadata\":{\"resourceVersion\":\"5\",\"annotations\":{\"k8s.io/"
            "initial-events-end\":\"true\"}}}}\n");
  EXPECT_EQ(BookmarkFrame("CronTab", "stable.example.com/v1", true, {130}, false),
            "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"stable.example.com/v1\",\"kind\":"
            "\"CronTab\",\"metadata\":{\"resourceVersion\":\"130\"}}}\n");
  EXPECT_EQ(BookmarkFrame("CronTab", "stable.example.com/v1", true, {130}, true),
            "{\"type\":\"BOOKMARK\",\"object\":{\"apiVersion\":\"stable.example.com/v1\",\"kind\":"
            "\"CronTab\",\"metadata\":{\"annotations\":{\"k8s.io/initial-events-end\":\"true\"},"
            "\"resourceVersion\":\"130\"}}}\n");
}

TEST(WatchFrameTest, AnExpiredWatchReadsAsUpstreamWritesIt) {
  EXPECT_EQ(
      ErrorFrame(ApiError::WatchExpired(5, 80)),
      "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
      "\"status\":\"Failure\",\"message\":\"too old resource version: 5 (80)\",\"reason\":"
      "\"Expired\",\"code\":410}}\n");
}

TEST(WatchFrameTest, StatusBodiesAreReadCompactOrIndented) {
  const StatusSummary status = ReadStatus(
      "{\n  \"kind\": \"Status\",\n  \"message\": \"pods \\\"x\\\" \\u003cnot\\u003e found\",\n"
      "  \"reason\": \"NotFound\",\n  \"code\": 404\n}");
  EXPECT_EQ(status.code, 404);
  EXPECT_EQ(status.reason, "NotFound");
  EXPECT_EQ(status.message, "pods \"x\" <not> found");
  EXPECT_EQ(ReadStatus(R"({"kind":"Pod","code":404})").code, 0);
  EXPECT_EQ(ReadStatus("404 page not found\n").code, 0);
  EXPECT_EQ(ReadStatus("").code, 0);
  EXPECT_EQ(ReadStatus(R"({"kind":"Status","code":99999999999})").code, 0);
}

}  // namespace
}  // namespace weir
