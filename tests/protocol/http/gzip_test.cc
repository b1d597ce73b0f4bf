#include "protocol/http/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/gunzip.h"

namespace weir::http {
namespace {

// What can be read of a member that is not finished.
std::string GunzipBeginning(std::string input) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  std::string text(1 << 20, '\0');
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

std::string Member(const std::vector<std::string>& texts) {
  std::vector<std::string_view> pieces(texts.begin(), texts.end());
  return GzipMember(pieces);
}

std::string Json(size_t objects) {
  std::string text;
  for (size_t i = 0; i < objects; ++i) {
    text += R"({"metadata":{"name":"pod-)" + std::to_string(i * 7919) +
            R"(","namespace":"team"},"spec":{"nodeName":"node-)" + std::to_string(i % 97) +
            R"("}})";
  }
  return text;
}

std::string Noise(size_t bytes) {
  std::mt19937_64 random(bytes);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

TEST(GzipTest, BeginsAsUpstreamsMembersDo) {
  EXPECT_EQ(Member({"x"}).substr(0, 10), std::string("\x1f\x8b\x08\0\0\0\0\0\x04\xff", 10));
}

TEST(GzipTest, AnEmptyBlockEndsWhatIsAddedForReadersThatWaitForTheNext) {
  const std::string empty_block("\0\0\0\xff\xff", 5);
  for (const std::string& text : {std::string("x"), Json(1), Json(50000), Noise(100), Noise(700000),
                                  Json(100) + Noise(5000), Json(2000) + Noise(200000)}) {
    GzipWriter writer;
    std::string out;
    const std::string_view piece = text;
    writer.Add(std::span(&piece, 1), out);
    EXPECT_TRUE(out.ends_with(empty_block)) << text.size();
    EXPECT_EQ(GunzipBeginning(out), text.substr(0, 1 << 20)) << text.size();
  }
}

TEST(GzipTest, NothingIsAMemberToo) {
  EXPECT_EQ(Gunzip(Member({})), "");
  EXPECT_EQ(Gunzip(Member({"", ""})), "");
  std::string out;
  GzipWriter().Finish(out);
  EXPECT_EQ(out, Member({}));
}

TEST(GzipTest, PiecesComeBackInOrder) {
  EXPECT_EQ(Gunzip(Member({"{", R"("kind":"Pod",)", "", "\n"})), "{\"kind\":\"Pod\",\n");
}

TEST(GzipTest, EveryLengthAroundABlockComesBack) {
  constexpr size_t kBlock = GzipWriter::kBlockBytes;
  for (const size_t bytes :
       {size_t{1}, kBlock - 1, kBlock, kBlock + 1, 2 * kBlock, 3 * kBlock + 5}) {
    std::string text = Json(bytes / 60 + 1);
    text.resize(bytes, 'x');
    EXPECT_EQ(Gunzip(Member({text})), text) << bytes;
    EXPECT_EQ(Gunzip(Member({text.substr(0, bytes / 2), text.substr(bytes / 2)})), text) << bytes;
  }
}

TEST(GzipTest, JsonBecomesSmall) {
  const std::string text = Json(10'000);
  EXPECT_LT(Member({text}).size() * 6, text.size());
}

TEST(GzipTest, NoiseGrowsByNoMoreThanPromised) {
  for (const size_t bytes : {size_t{1}, size_t{100}, size_t{65'535}, size_t{65'536},
                             GzipWriter::kBlockBytes, GzipWriter::kBlockBytes * 4 + 17}) {
    const std::string text = Noise(bytes);
    const std::string member = Member({text});
    EXPECT_EQ(Gunzip(member), text) << bytes;
    EXPECT_LE(member.size(), bytes + bytes / 10'000 + 40) << bytes;
  }
}

TEST(GzipTest, WhatWasAddedCanBeReadAtOnce) {
  GzipWriter writer;
  std::string out;
  std::string text;
  for (int i = 0; i < 20; ++i) {
    const std::string piece = Json(static_cast<size_t>(i) * 30 + 1);
    const std::string_view view = piece;
    writer.Add(std::span(&view, 1), out);
    text += piece;
    EXPECT_EQ(GunzipBeginning(out), text);
  }
  writer.Finish(out);
  EXPECT_EQ(Gunzip(out), text);
}

TEST(GzipTest, MembersFollowEachOther) {
  GzipWriter writer;
  std::string out;
  for (const std::string_view piece : {"one,", "two,", "three"}) {
    writer.Add(std::span(&piece, 1), out);
    writer.Finish(out);
  }
  EXPECT_EQ(Gunzip(out), "one,two,three");
  EXPECT_EQ(Gunzip(Member({"a"}) + Member({}) + Member({Json(9000)}) + Member({"b"})),
            "a" + Json(9000) + "b");
}

// Two members grow on one thread, and one moves to another: the compressor keeps nothing of them.
TEST(GzipTest, WritersShareAThreadsCompressor) {
  GzipWriter first;
  GzipWriter second;
  std::string first_out;
  std::string second_out;
  const std::string_view a = "aaaaaaaaaaaaaaaa";
  const std::string_view b = "bbbbbbbbbbbbbbbb";
  for (int i = 0; i < 3; ++i) {
    first.Add(std::span(&a, 1), first_out);
    second.Add(std::span(&b, 1), second_out);
  }
  std::thread([&] {
    first.Add(std::span(&b, 1), first_out);
    first.Finish(first_out);
  }).join();
  second.Finish(second_out);
  EXPECT_EQ(Gunzip(first_out), std::string(48, 'a') + std::string(16, 'b'));
  EXPECT_EQ(Gunzip(second_out), std::string(48, 'b'));
}

TEST(GzipTest, BlocksMadeBeforeArePartsOfAnyMember) {
  const std::vector<std::string> texts = {Json(1), Noise(300000), Json(9000), "", Json(50)};
  std::vector<DeflatedBlocks> blocks;
  for (const std::string& text : texts) {
    const std::string_view piece = text;
    blocks.push_back(Deflate(std::span(&piece, 1)));
    EXPECT_EQ(blocks.back().length, text.size());
  }
  for (size_t first = 0; first < texts.size(); ++first) {
    GzipWriter writer;
    std::string out;
    std::string text;
    for (size_t i = first; i < texts.size(); ++i) {
      writer.Add(blocks[i], out);
      const std::string_view between = "between";
      writer.Add(std::span(&between, 1), out);
      text += texts[i] + "between";
      EXPECT_EQ(GunzipBeginning(out), text.substr(0, 1 << 20));
    }
    writer.Finish(out);
    EXPECT_EQ(Gunzip(out), text);
  }
}

}  // namespace
}  // namespace weir::http
