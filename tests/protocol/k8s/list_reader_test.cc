#include "protocol/k8s/list_reader.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/k8s/metadata_scan.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Outcome {
  std::vector<std::string> items;
  StatusOr<ListSummary> summary = Cancelled("not finished");
};

// Feeds pieces that live on the heap at their exact size: reading past the padding is seen by ASan.
Outcome ReadInPieces(std::string_view body, size_t piece, size_t max_item_bytes = 1 << 20) {
  Outcome outcome;
  JsonListReader reader(
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
    if (!reader.Feed({copy.get(), bytes.size()}).ok()) break;
  }
  outcome.summary = reader.Finish();
  return outcome;
}

TEST(ListReaderTest, BuiltInListIsTheSameHoweverTheBytesAreCut) {
  const std::string long_item =
      R"({"metadata":{"name":"b"},"note":")" + std::string(150, ']') + R"("})";
  const std::string body =
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"100","continue":"abc",)"
      R"("remainingItemCount":3},"items":[{"metadata":{"name":"a"},"x":"}],\""},)" +
      long_item + R"(,{}]})" + "\n";
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    const Outcome outcome = ReadInPieces(body, piece);
    ASSERT_TRUE(outcome.summary.ok()) << piece;
    EXPECT_EQ(outcome.summary->kind, "PodList");
    EXPECT_EQ(outcome.summary->api_version, "v1");
    EXPECT_EQ(outcome.summary->resource_version, "100");
    EXPECT_EQ(outcome.summary->continue_token, "abc");
    ASSERT_THAT(outcome.items,
                ElementsAre(R"({"metadata":{"name":"a"},"x":"}],\""})", long_item, "{}"));
  }
}

TEST(ListReaderTest, CustomResourceListHasItsMetadataLast) {
  const std::string body =
      R"({"apiVersion":"stable.example.com/v1","items":[{"apiVersion":"stable.example.com/v1"}],)"
      R"("kind":"CronTabList","metadata":{"continue":"","resourceVersion":"100"}})"
      "\n";
  for (size_t piece = 1; piece <= body.size(); ++piece) {
    const Outcome outcome = ReadInPieces(body, piece);
    ASSERT_TRUE(outcome.summary.ok()) << piece;
    EXPECT_EQ(outcome.summary->kind, "CronTabList");
    EXPECT_EQ(outcome.summary->resource_version, "100");
    EXPECT_EQ(outcome.summary->continue_token, "");
    ASSERT_THAT(outcome.items, ElementsAre(R"({"apiVersion":"stable.example.com/v1"})"));
  }
}

TEST(ListReaderTest, EmptyListsHaveNoItems) {
  for (const char* items : {"[]", "null", " [ ] "}) {
    const Outcome outcome = ReadInPieces(
        std::string(
            R"({"kind":"L","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":)") +
            items + "}",
        7);
    EXPECT_TRUE(outcome.summary.ok()) << items;
    EXPECT_THAT(outcome.items, IsEmpty());
  }
}

TEST(ListReaderTest, UnknownMembersAreSkipped) {
  const Outcome outcome = ReadInPieces(
      R"({"a":{"items":[{}]},"b":[1],"c":"\"}","d":-1.5,"kind":"L","e":true,"apiVersion":"v1","items":[]})",
      3);
  EXPECT_TRUE(outcome.summary.ok());
  EXPECT_THAT(outcome.items, IsEmpty());
}

TEST(ListReaderTest, ABodyThatEndsEarlyIsNoList) {
  const std::string body =
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[{"a":"b"},{}]})";
  for (size_t length = 0; length < body.size(); ++length) {
    EXPECT_FALSE(ReadInPieces(body.substr(0, length), 1000).summary.ok()) << length;
  }
  EXPECT_TRUE(ReadInPieces(body, 1000).summary.ok());
}

TEST(ListReaderTest, OtherBodiesAreNoLists) {
  for (const char* body :
       {"[]", "{}", "404 page not found\n", R"({"kind":"Status","apiVersion":"v1","code":500})",
        R"({"kind":"L","apiVersion":"v1","items":[1]})",
        R"({"kind":"L","apiVersion":"v1","items":[{},]})",
        R"({"kind":"L","apiVersion":"v1","items":[{} {}]})",
        R"({"kind":"L","apiVersion":"v1","items":{}})",
        R"({"kind":"L","apiVersion":"v1","items":[],"items":[]})",
        R"({"kind":"L","apiVersion":"v1","items":[],})",
        R"({"kind":,"apiVersion":"v1","items":[]})",
        R"({"kind":"L","apiVersion":"v1","items":[]} x)"}) {
    EXPECT_EQ(ReadInPieces(body, 5).summary.status().code(), absl::StatusCode::kInvalidArgument)
        << body;
  }
}

TEST(ListReaderTest, ItemsAboveTheBoundAreRefused) {
  const std::string body =
      R"({"kind":"L","apiVersion":"v1","items":[{"a":")" + std::string(500, 'x') + R"("}]})";
  for (const size_t piece : {size_t{10}, size_t{1000}}) {
    EXPECT_EQ(ReadInPieces(body, piece, 100).summary.status().code(),
              absl::StatusCode::kResourceExhausted);
  }
}

TEST(ListReaderTest, TheReceiversErrorEndsTheReading) {
  int calls = 0;
  JsonListReader reader([&calls](std::string_view) {
    ++calls;
    return FailedPrecondition("enough");
  });
  EXPECT_EQ(reader.Feed(R"({"kind":"L","apiVersion":"v1","items":[{},{},{}]})").code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader.Feed("{}").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(reader.Finish().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace weir
