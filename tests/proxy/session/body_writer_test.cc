#include "proxy/session/body_writer.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "protocol/k8s/accept.h"
#include "tests/fakes/gunzip.h"
#include "tests/proxy/net/net_fixture.h"
#include "tests/proxy/session/memory_exchange.h"

namespace weir {
namespace {

std::string Inflate(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
  std::string in = bytes;
  std::string out(4 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0u) << "bytes behind the member";
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// A JSON array whose text has `size` bytes, in pieces.
std::vector<std::string> Pieces(size_t size) {
  std::vector<std::string> pieces = {"[\""};
  size_t bytes = 4;
  while (bytes < size) {
    const size_t next = std::min<size_t>(7000, size - bytes);
    pieces.emplace_back(next, static_cast<char>('a' + pieces.size() % 26));
    bytes += next;
  }
  pieces.emplace_back("\"]");
  return pieces;
}

std::string Join(const std::vector<std::string>& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

class BodyWriterTest : public ::testing::Test {
 protected:
  BodyWriterTest() { worker_.Start(); }
  ~BodyWriterTest() override { worker_.Discard(); }

  std::unique_ptr<MemoryExchange> Write(const std::vector<std::string>& pieces,
                                        BodyWriter::Options options) {
    auto exchange = std::make_unique<MemoryExchange>(worker_, http::RequestHead());
    RunOn(worker_, [&]() -> Async<void> {
      http::ResponseHead head;
      head.status = 200;
      BodyWriter body(*exchange, std::move(head), options);
      for (const std::string& piece : pieces) {
        const std::string_view view = piece;
        const std::span<const std::string_view> one(&view, 1);
        const Status added = co_await body.Add(one);
        EXPECT_TRUE(added.ok());
      }
      const Status finished = co_await body.Finish();
      EXPECT_TRUE(finished.ok());
    });
    EXPECT_TRUE(exchange->finished);
    for (const size_t bytes : exchange->writes) EXPECT_LE(bytes, BodyWriter::kWindowBytes);
    return exchange;
  }
  static bool IsGzip(const MemoryExchange& exchange) {
    return exchange.head->headers.Has("Content-Encoding");
  }

  Worker worker_{0};
};

TEST_F(BodyWriterTest, ReadyBlocksStandBetweenWhatIsCompressedNow) {
  const std::string a(200000, 'a');
  const std::string b(3000000, 'b');
  const std::string_view b_piece = b;
  const http::DeflatedBlocks blocks = http::Deflate(std::span(&b_piece, 1));
  auto exchange = std::make_unique<MemoryExchange>(worker_, http::RequestHead());
  RunOn(worker_, [&]() -> Async<void> {
    http::ResponseHead head;
    head.status = 200;
    BodyWriter::Options options;
    options.gzip = true;
    options.known_bytes = 2 * a.size() + 3 * b.size();
    BodyWriter body(*exchange, std::move(head), options);
    EXPECT_TRUE(body.compresses());
    const std::string_view view = a;
    const std::span<const std::string_view> one(&view, 1);
    Status status = co_await body.Add(one);
    EXPECT_TRUE(status.ok());
    for (int i = 0; i < 3; ++i) {
      status = co_await body.AddBlocks(blocks);
      EXPECT_TRUE(status.ok());
    }
    status = co_await body.Add(one);
    EXPECT_TRUE(status.ok());
    status = co_await body.Finish();
    EXPECT_TRUE(status.ok());
  });
  EXPECT_EQ(Gunzip(exchange->body), a + b + b + b + a);
  EXPECT_TRUE(IsGzip(*exchange));
}

TEST_F(BodyWriterTest, ShortBodiesHaveALengthAndLongOnesHaveChunks) {
  for (const size_t size : {size_t{5}, size_t{2048}, size_t{2049}, size_t{700000}}) {
    const std::vector<std::string> pieces = Pieces(size);
    const auto exchange = Write(pieces, {});
    EXPECT_EQ(exchange->body, Join(pieces));
    const http::BodyFraming& framing = exchange->head->body;
    EXPECT_EQ(framing.kind == http::BodyFraming::Kind::kLength, size <= 2048) << size;
    if (size <= 2048) {
      EXPECT_EQ(framing.length, size);
    }
  }
}

TEST_F(BodyWriterTest, CompressionBeginsBehindTheThreshold) {
  for (const size_t size : {size_t{5}, kGzipThreshold, kGzipThreshold + 1, size_t{700000}}) {
    for (const bool known : {false, true}) {
      const std::vector<std::string> pieces = Pieces(size);
      BodyWriter::Options options;
      options.gzip = true;
      options.known_bytes = known ? size : 0;
      const auto exchange = Write(pieces, options);
      ASSERT_EQ(IsGzip(*exchange), size > kGzipThreshold) << size;
      EXPECT_EQ(exchange->head->headers.Has("Vary"), size > kGzipThreshold);
      EXPECT_EQ(IsGzip(*exchange) ? Inflate(exchange->body) : exchange->body, Join(pieces));
      EXPECT_EQ(exchange->head->body.kind == http::BodyFraming::Kind::kLength,
                exchange->body.size() <= 2048);
    }
  }
}

TEST_F(BodyWriterTest, IndentedBodiesAreMeasuredAsTheyAreSent) {
  // Compact it is below the threshold, laid out above.
  std::string compact = "[";
  while (compact.size() < kGzipThreshold - 10) compact += "1,";
  compact += "1]";
  BodyWriter::Options options;
  options.pretty = true;
  const auto plain = Write({compact + "\n"}, options);
  EXPECT_EQ(plain->body, IndentJson(compact));
  options.gzip = true;
  const auto compressed = Write({compact + "\n"}, options);
  ASSERT_TRUE(IsGzip(*compressed));
  EXPECT_EQ(Inflate(compressed->body), plain->body);
}

}  // namespace
}  // namespace weir
