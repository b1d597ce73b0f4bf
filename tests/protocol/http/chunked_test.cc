#include "protocol/http/chunked.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir::http {
namespace {

struct Decoded {
  Status status;
  std::string data;
  bool done = false;
  size_t consumed = 0;
  HeaderList trailers;
};

// Feeds `wire` in pieces of `step` bytes, as a socket might.
Decoded Decode(std::string_view wire, size_t step = 1 << 20) {
  ChunkDecoder decoder;
  Decoded result;
  std::string pending;
  for (size_t fed = 0; fed < wire.size() && !decoder.done();) {
    pending += wire.substr(fed, step);
    fed += step;
    while (!decoder.done()) {
      const auto piece = decoder.Next(pending);
      if (!piece.ok()) {
        result.status = piece.status();
        return result;
      }
      if (piece->consumed == 0) break;
      result.data += piece->data;
      result.consumed += piece->consumed;
      pending.erase(0, piece->consumed);
    }
  }
  result.done = decoder.done();
  result.trailers = decoder.trailers();
  return result;
}

TEST(ChunkDecoderTest, TheSamePayloadComesOutHoweverTheBytesArrive) {
  const std::string wire =
      "5\r\nhello\r\n1;name=\"v\"\r\n \r\nA\r\n0123456789\r\n0\r\nX-Sum: abc\r\n\r\n";
  for (const size_t step : {1u, 2u, 3u, 7u, 1000u}) {
    const Decoded result = Decode(wire, step);
    ASSERT_TRUE(result.status.ok()) << Message(result.status);
    EXPECT_TRUE(result.done);
    EXPECT_EQ(result.data, "hello 0123456789");
    EXPECT_EQ(result.consumed, wire.size());
    ASSERT_EQ(result.trailers.lines().size(), 1u);
    EXPECT_EQ(*result.trailers.First("X-Sum"), "abc");
  }
}

TEST(ChunkDecoderTest, BytesBehindTheLastChunkAreLeftAlone) {
  const Decoded result = Decode("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
  EXPECT_TRUE(result.done);
  EXPECT_EQ(result.consumed, std::string_view("1\r\na\r\n0\r\n\r\n").size());
}

TEST(ChunkDecoderTest, PayloadIsAViewIntoTheInput) {
  const std::string wire = "3\r\nabc\r\n";
  ChunkDecoder decoder;
  const auto piece = decoder.Next(wire);
  ASSERT_TRUE(piece.ok());
  EXPECT_EQ(piece->data.data(), wire.data() + 3);
}

TEST(ChunkDecoderTest, AnUnfinishedBodyIsNotDone) {
  for (const std::string_view wire :
       {"", "5", "5\r\nhel", "5\r\nhello", "0\r\n", "0\r\nA: b\r\n"}) {
    EXPECT_FALSE(Decode(wire).done) << wire;
    EXPECT_TRUE(Decode(wire).status.ok()) << wire;
  }
}

TEST(ChunkDecoderTest, WhateverTwoServersMightReadDifferentlyIsRefused) {
  const std::vector<std::string> refused = {
      "0x5\r\nhello\r\n",
      "+5\r\nhello\r\n",
      "-5\r\nhello\r\n",
      " 5\r\nhello\r\n",
      "5 \r\nhello\r\n",
      "5\t;a\r\nhello\r\n",
      "\r\n",
      ";a\r\n",
      "g\r\n",
      "5_0\r\n",
      "5\nhello\r\n",
      "5\r\nhello\n",
      "5\r\nhelloX\r\n",
      "5\r\nhello0\r\n\r\n",
      "00000000000000005\r\nhello\r\n",
      "fffffffffffffffff\r\n",
      "5;a\rb\r\nhello\r\n",
      "5;a\x01\r\nhello\r\n",
      "5;" + std::string(256, 'x') + "\r\n",
      "5;" + std::string(2000, 'x'),
      "0\r\nA: b\n\r\n",
      "0\r\n\n",
      "0\r\nA : b\r\n\r\n",
      "0\r\n folded: b\r\n\r\n",
      "0\r\nnocolon\r\n\r\n",
      "0\r\nContent-Length: 5\r\n\r\n",
      "0\r\ntransfer-encoding: chunked\r\n\r\n",
      "0\r\nHost: other\r\n\r\n",
      "0\r\nA: " + std::string(17000, 'x') + "\r\n\r\n",
  };
  for (const std::string& wire : refused) {
    for (const size_t step : {size_t{1}, wire.size()}) {
      EXPECT_TRUE(absl::IsInvalidArgument(Decode(wire, step).status)) << wire.substr(0, 40);
    }
  }
}

TEST(ChunkDecoderTest, ManySmallTrailersAreBoundedTogether) {
  std::string wire = "0\r\n";
  for (int i = 0; i < 2000; ++i) wire += "A: 0123456789\r\n";
  EXPECT_TRUE(absl::IsInvalidArgument(Decode(wire, 100).status));
  // Not more than Go's server takes, so that whatever is taken here is taken there.
  EXPECT_TRUE(absl::IsInvalidArgument(
      Decode("0\r\nA: " + std::string(4200, 'a') + "\r\n\r\n", 100).status));
  EXPECT_TRUE(Decode("0\r\nA: " + std::string(4000, 'a') + "\r\n\r\n", 100).status.ok());
}

TEST(ChunkDecoderTest, SizesOfSixteenDigitsAreTaken) {
  EXPECT_TRUE(Decode("ffffffffffffffff\r\nabc").status.ok());
  EXPECT_EQ(Decode("0000000000000003\r\nabc\r\n0\r\n\r\n").data, "abc");
}

TEST(ChunkHeadTest, SizesAreWrittenInLowerHexWithoutZeros) {
  const auto head = [](uint64_t size) {
    char out[18];
    return std::string(out, WriteChunkHead(size, out));
  };
  EXPECT_EQ(head(0), "0\r\n");
  EXPECT_EQ(head(0x1a2b), "1a2b\r\n");
  EXPECT_EQ(head(UINT64_MAX), "ffffffffffffffff\r\n");
}

}  // namespace
}  // namespace weir::http
