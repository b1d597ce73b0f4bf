#include "cache/ready_blocks.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "cache/leaf_blocks.h"
#include "cache/list_cursor.h"
#include "tests/cache/test_objects.h"
#include "tests/fakes/gunzip.h"

namespace weir {
namespace {

// 1,000 pods of 2 KB in about 20 leaves.
Snapshot Pods(size_t count = 1000) {
  Snapshot snapshot;
  snapshot.revision = {100};
  snapshot.form = PodForm();
  std::vector<ObjectRef> objects;
  for (size_t i = 0; i < count; ++i) {
    objects.push_back(MakeObject(fmt::format("ns-{}/pod-{:05}", i * 4 / count, i), 1 + i,
                                 {.note = std::string(2000, static_cast<char>('a' + i % 26))}));
  }
  snapshot.tree = ObjectTree::FromSorted(std::move(objects));
  return snapshot;
}

struct Answer {
  std::string body;
  size_t blocks = 0;
  std::set<const http::DeflatedBlocks*> kept;
};

// What a client reads of a LIST, compressed where `blocks`.
Answer List(const Snapshot& snapshot, bool blocks, std::string space = "",
            bool metadata_only = false) {
  ListSpec spec;
  spec.filter = Filter(std::move(space), {}, {}, snapshot.form->fields);
  spec.metadata_only = metadata_only;
  spec.revision = snapshot.revision;
  ListCursor cursor(snapshot, spec);
  if (blocks) cursor.UseBlocks();
  Answer answer;
  std::string compressed;
  http::GzipWriter writer;
  Gather gather;
  for (;;) {
    gather.Clear();
    const ListCursor::Step step = cursor.Next(16384, gather);
    if (step == ListCursor::Step::kEnd) break;
    if (step == ListCursor::Step::kBlocks) {
      EXPECT_TRUE(gather.empty());
      writer.Add(cursor.blocks(), compressed);
      answer.kept.insert(&cursor.blocks());
      ++answer.blocks;
    } else {
      writer.Add(gather.pieces(), compressed);
    }
  }
  writer.Finish(compressed);
  answer.body = Gunzip(compressed);
  EXPECT_EQ(answer.body.size(), cursor.total_bytes());
  return answer;
}

TEST(ReadyBlocksTest, AListOfReadyBlocksIsTheList) {
  const Snapshot snapshot = Pods();
  for (const bool metadata_only : {false, true}) {
    for (const char* space : {"", "ns-0", "ns-1", "ns-2", "ns-3", "ns-9"}) {
      const Answer plain = List(snapshot, false, space, metadata_only);
      EXPECT_EQ(plain.blocks, 0u);
      EXPECT_EQ(List(snapshot, true, space, metadata_only).body, plain.body) << space;
    }
  }
}

TEST(ReadyBlocksTest, TheSecondAnswerSendsWhatTheFirstHasMade) {
  const Snapshot snapshot = Pods();
  const Answer first = List(snapshot, true);
  EXPECT_GT(first.blocks, 15u);
  const size_t held = ReadyBlocks::held_bytes();
  EXPECT_GT(held, 0u);
  EXPECT_EQ(List(snapshot, true).kept, first.kept);
  // Whole leaves of a part of the list are the same ones.
  const Answer part = List(snapshot, true, "ns-2");
  EXPECT_GT(part.blocks, 2u);
  for (const auto* const blocks : part.kept) EXPECT_TRUE(first.kept.contains(blocks));
  EXPECT_EQ(ReadyBlocks::held_bytes(), held);
}

TEST(ReadyBlocksTest, AChangeCostsTheLeafThatItIsIn) {
  Snapshot old = Pods();
  const Answer before = List(old, true);
  Snapshot now = old;
  now.tree.Put(MakeObject("ns-2/pod-00600", 2000, {.note = "new"}));
  const Answer after = List(now, true);
  EXPECT_EQ(after.body, List(now, false).body);
  EXPECT_NE(after.body, before.body);
  size_t fresh = 0;
  for (const auto* const blocks : after.kept) fresh += before.kept.contains(blocks) ? 0 : 1;
  EXPECT_EQ(fresh, 1u);
  EXPECT_EQ(List(old, true).kept, before.kept) << "the old snapshot keeps what it has";
}

TEST(ReadyBlocksTest, WhatIsChangedInPlaceIsMadeAnew) {
  Snapshot snapshot = Pods();
  List(snapshot, true);
  const size_t held = ReadyBlocks::held_bytes();
  snapshot.tree.Put(MakeObject("ns-2/pod-00600", 2000, {.note = "new"}));
  EXPECT_LT(ReadyBlocks::held_bytes(), held);
  snapshot.tree.Remove("ns-1/pod-00300");
  for (int i = 0; i < 100; ++i) {  // Splits a leaf.
    snapshot.tree.Put(MakeObject(fmt::format("ns-0/pod-00100-{}", i), 3000));
  }
  EXPECT_EQ(List(snapshot, true).body, List(snapshot, false).body);
  for (int i = 0; i < 100; ++i) snapshot.tree.Remove(fmt::format("ns-0/pod-00100-{}", i));
  EXPECT_EQ(List(snapshot, true).body, List(snapshot, false).body);
}

TEST(ReadyBlocksTest, TheyGoWithTheTree) {
  const size_t before = ReadyBlocks::held_bytes();
  {
    const Snapshot snapshot = Pods();
    List(snapshot, true);
    EXPECT_GT(ReadyBlocks::held_bytes(), before);
  }
  EXPECT_EQ(ReadyBlocks::held_bytes(), before);
}

TEST(ReadyBlocksTest, AboveTheLimitTheyAreMadeForOneAnswer) {
  const Snapshot snapshot = Pods();
  ReadyBlocks::SetLimit(ReadyBlocks::held_bytes() + 3000);
  const Answer answer = List(snapshot, true);
  EXPECT_LE(ReadyBlocks::held_bytes(), 3000u);
  EXPECT_GT(answer.blocks, 15u);
  EXPECT_EQ(answer.body, List(snapshot, false).body);
  ReadyBlocks::SetLimit(size_t{512} << 20);
}

TEST(ReadyBlocksTest, InitialEventsAreBlocksOfTheirOwn) {
  const Snapshot snapshot = Pods(60);
  const Framing framing(snapshot.form, false);
  const auto leaf = snapshot.tree.Begin().WholeLeaf();
  ASSERT_TRUE(leaf.has_value());
  http::DeflatedBlocks spare;
  Gather gather;
  std::string plain;
  for (size_t i = 0; i < leaf->size(); ++i) framing.AddInitial((*leaf)[i], gather);
  for (const std::string_view piece : gather.pieces()) plain += piece;
  const http::DeflatedBlocks& events = LeafInitialEvents(*leaf, framing, spare);
  std::string compressed;
  http::GzipWriter writer;
  writer.Add(events, compressed);
  writer.Finish(compressed);
  EXPECT_EQ(Gunzip(compressed), plain);
  EXPECT_EQ(&LeafInitialEvents(*leaf, framing, spare), &events);
  EXPECT_NE(&LeafItems(*leaf, framing, spare), &events);
}

}  // namespace
}  // namespace weir
