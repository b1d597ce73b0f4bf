#include "cache/list_cursor.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "protocol/k8s/continue_token.h"
#include "protocol/k8s/list_reader.h"
#include "tests/cache/test_objects.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string Body(ListCursor& cursor, size_t max_bytes = 100) {
  std::string body;
  Gather gather;
  while (true) {
    gather.Clear();
    const ListCursor::Step step = cursor.Next(max_bytes, gather);
    for (const std::string_view piece : gather.pieces()) body += piece;
    if (step == ListCursor::Step::kEnd) return body;
    EXPECT_EQ(step == ListCursor::Step::kYield, gather.empty());
  }
}

// A page as a client reads it.
struct Page {
  std::vector<std::string> keys;
  std::string token;      // As written in the body.
  std::string remaining;  // The number as written; "" where it is not.
  std::string body;
};

Filter Make(std::string space, std::string_view labels, std::string_view fields) {
  return Filter(std::move(space), LabelSelector::Parse(labels).value(),
                FieldSelector::Parse(fields).value(),
                SelectableFields::BuiltIn({"", "v1", "pods"}));
}

// The pods of api-semantics 10: two namespaces of which one sorts before the other's slash.
class ListCursorTest : public ::testing::Test {
 protected:
  ListCursorTest() {
    snapshot_.revision = {100};
    snapshot_.form = PodForm();
    Add("a-b/x", 91, {.labels = R"({"app":"web","tier":"2"})", .node = "n1"});
    Add("a/x", 90, {.labels = R"({"app":"web"})", .node = "n1"});
    Add("default/nginx-1", 92, {.labels = R"({"app":"nginx","tier":"1"})"});
    Add("default/nginx-2", 93, {.labels = R"({"app":"nginx","tier":"5"})"});
  }

  void Add(std::string_view key, uint64_t revision, const ObjectShape& shape = {}) {
    snapshot_.tree.Put(MakeObject(key, revision, shape));
  }

  Page List(Filter filter, int64_t limit = 0, std::string start_key = "") {
    ListSpec spec;
    spec.key_is_namespaced = filter.namespace_name().empty() && snapshot_.form->type.namespaced;
    spec.filter = std::move(filter);
    spec.limit = limit;
    spec.start_key = std::move(start_key);
    spec.revision = snapshot_.revision;
    ListCursor cursor(snapshot_, spec);
    Page page;
    page.body = Body(cursor);
    JsonListReader reader([&page](std::string_view item) {
      page.keys.emplace_back(Object::Make(PodScanner().Scan(item).value())->key());
      return OkStatus();
    });
    EXPECT_TRUE(reader.Feed(page.body).ok());
    page.token = reader.Finish().value().continue_token;
    EXPECT_EQ(cursor.items(), page.keys.size());
    if (const uint64_t total = cursor.total_bytes(); total != 0) {
      EXPECT_EQ(total, page.body.size());
    }
    const std::string mark = R"("remainingItemCount":)";
    if (const size_t at = page.body.find(mark); at != std::string::npos) {
      const size_t begin = at + mark.size();
      page.remaining = page.body.substr(begin, page.body.find_first_of(",}", begin) - begin);
    }
    return page;
  }

  // What the next request's token says, relative to its path.
  static std::string StartOf(const Page& page) {
    const ContinueToken token = ContinueToken::Decode(page.token).value();
    EXPECT_EQ(token.revision, 100);
    return token.start_key;
  }

  Snapshot snapshot_;
};

TEST_F(ListCursorTest, BuiltInListsAreWrittenAsUpstreamDoes) {
  EXPECT_EQ(
      List(Filter()).body,
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"100"},"items":[)" +
          ItemJson("a-b/x", 91, {.labels = R"({"app":"web","tier":"2"})", .node = "n1"}) + "," +
          ItemJson("a/x", 90, {.labels = R"({"app":"web"})", .node = "n1"}) + "," +
          ItemJson("default/nginx-1", 92, {.labels = R"({"app":"nginx","tier":"1"})"}) + "," +
          ItemJson("default/nginx-2", 93, {.labels = R"({"app":"nginx","tier":"5"})"}) + "]}\n");
}

TEST_F(ListCursorTest, EmptyListsHaveAnEmptyArray) {
  EXPECT_EQ(
      List(Make("nope", "", "")).body,
      R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"100"},"items":[]})"
      "\n");
  snapshot_.tree = {};
  snapshot_.form = CronTabForm();
  EXPECT_EQ(
      List(Filter()).body,
      R"({"apiVersion":"stable.example.com/v1","items":[],"kind":"CronTabList","metadata":{"continue":"","resourceVersion":"100"}})"
      "\n");
}

TEST_F(ListCursorTest, CustomResourcePagesHaveSortedMetadata) {
  snapshot_.form = CronTabForm();
  const Page page = List(Filter(), 3);
  const std::string token = ContinueToken::Encode(100, "default/nginx-1");
  EXPECT_THAT(page.body, EndsWith(R"(],"kind":"CronTabList","metadata":{"continue":")" + token +
                                  R"(","remainingItemCount":1,"resourceVersion":"100"}})" + "\n"));
  EXPECT_THAT(List(Make("", "app", ""), 1).body, Not(HasSubstr("remainingItemCount")));
}

TEST_F(ListCursorTest, APageNamesItsTokenAndWhatRemains) {
  const Page page = List(Filter(), 2);
  EXPECT_THAT(page.keys, ElementsAre("a-b/x", "a/x"));
  EXPECT_EQ(page.token, ContinueToken::Encode(100, "a/x"));
  EXPECT_THAT(page.body, HasSubstr(R"("metadata":{"resourceVersion":"100","continue":")" +
                                   page.token + R"(","remainingItemCount":2},"items":[)"));
}

TEST_F(ListCursorTest, TheLastPageNamesNothing) {
  for (const int64_t limit : {4, 5, 0, -1}) {
    const Page page = List(Filter(), limit);
    EXPECT_EQ(page.keys.size(), 4u);
    EXPECT_EQ(page.token, "");
    EXPECT_EQ(page.remaining, "");
  }
}

TEST_F(ListCursorTest, PagesJoinToTheWholeList) {
  std::vector<std::string> keys;
  std::string start;
  for (int pages = 0; pages < 10; ++pages) {
    const Page page = List(Filter(), 1, start);
    keys.insert(keys.end(), page.keys.begin(), page.keys.end());
    EXPECT_EQ(page.remaining, keys.size() == 4 ? "" : std::to_string(4 - keys.size()));
    if (page.token.empty()) break;
    start = StartOf(page);
  }
  EXPECT_THAT(keys, ElementsAre("a-b/x", "a/x", "default/nginx-1", "default/nginx-2"));
}

TEST_F(ListCursorTest, TokensOfANamespaceAreRelativeToIt) {
  const Page page = List(Make("default", "", ""), 1);
  EXPECT_THAT(page.keys, ElementsAre("default/nginx-1"));
  EXPECT_EQ(page.token, ContinueToken::Encode(100, "nginx-1"));
  EXPECT_EQ(page.remaining, "1");
  const Page rest = List(Make("default", "", ""), 0, StartOf(page));
  EXPECT_THAT(rest.keys, ElementsAre("default/nginx-2"));
  EXPECT_EQ(rest.token, "");
}

TEST_F(ListCursorTest, ANamespaceByFieldSelectorKeepsTokensRelativeToThePath) {
  const Page page = List(Make("", "", "metadata.namespace=default"), 1);
  EXPECT_THAT(page.keys, ElementsAre("default/nginx-1"));
  EXPECT_EQ(page.token, ContinueToken::Encode(100, "default/nginx-1"));
  EXPECT_EQ(page.remaining, "");  // There is a selector.
  const Page rest = List(Make("", "", "metadata.namespace=default"), 1, StartOf(page));
  EXPECT_THAT(rest.keys, ElementsAre("default/nginx-2"));
  EXPECT_EQ(rest.token, "");
}

TEST_F(ListCursorTest, WithSelectorsATokenFollowsWhereTheScanStoppedBeforeTheEnd) {
  // Both matches are found before the two nginx pods: a further page comes, and is empty.
  const Page page = List(Make("", "app=web", ""), 2);
  EXPECT_THAT(page.keys, ElementsAre("a-b/x", "a/x"));
  EXPECT_EQ(page.token, ContinueToken::Encode(100, "a/x"));
  EXPECT_EQ(page.remaining, "");
  const Page rest = List(Make("", "app=web", ""), 2, StartOf(page));
  EXPECT_THAT(rest.keys, IsEmpty());
  EXPECT_EQ(rest.token, "");
}

TEST_F(ListCursorTest, WithSelectorsNoTokenFollowsWhereTheScanReachedTheEnd) {
  EXPECT_EQ(List(Make("", "app=nginx", ""), 2).token, "");
  EXPECT_EQ(List(Make("", "app=web", ""), 3).token, "");
}

TEST_F(ListCursorTest, SelectorsAndNamesSelect) {
  EXPECT_THAT(List(Make("", "tier>1", "")).keys, ElementsAre("a-b/x", "default/nginx-2"));
  EXPECT_THAT(List(Make("", "", "spec.nodeName=")).keys,
              ElementsAre("default/nginx-1", "default/nginx-2"));
  EXPECT_THAT(List(Make("", "", "metadata.name=x")).keys, ElementsAre("a-b/x", "a/x"));
}

TEST_F(ListCursorTest, OneNameInANamespaceIsOneKeyAndNeverHasAToken) {
  const Page page = List(Make("default", "", "metadata.name=nginx-1"), 1);
  EXPECT_THAT(page.keys, ElementsAre("default/nginx-1"));
  EXPECT_EQ(page.token, "");
  EXPECT_THAT(List(Make("default", "app=web", "metadata.name=nginx-1")).keys, IsEmpty());
}

TEST_F(ListCursorTest, ClusterScopedObjectsAreNamedWithoutNamespace) {
  snapshot_.tree = {};
  snapshot_.form = NodeForm();
  for (const char* name : {"n1", "n10", "n2"}) Add(name, 1);
  const Page page = List(Filter(), 1);
  EXPECT_EQ(page.token, ContinueToken::Encode(100, "n1"));
  EXPECT_THAT(List(Filter(), 5, StartOf(page)).keys, ElementsAre("n10", "n2"));
  const Page one = List(Make("", "", "metadata.name=n1"), 1);
  EXPECT_THAT(one.keys, ElementsAre("n1"));
  EXPECT_EQ(one.token, "");
}

TEST_F(ListCursorTest, TheAnswerNamesTheRevisionThatWasAskedFor) {
  ListSpec spec;
  spec.revision = {95};
  ListCursor cursor(snapshot_, spec);
  EXPECT_THAT(Body(cursor), HasSubstr(R"("resourceVersion":"95"},"items")"));
}

TEST_F(ListCursorTest, PiecesAreBoundedByTheBytesAskedFor) {
  for (int i = 0; i < 500; ++i) Add(fmt::format("z/{:03}", i), 1, {.note = std::string(100, 'x')});
  ListSpec spec;
  spec.revision = {100};
  ListCursor cursor(snapshot_, spec);
  std::string body;
  Gather gather;
  const size_t largest_item = 300;
  while (cursor.Next(4096, gather) != ListCursor::Step::kEnd) {
    EXPECT_LE(gather.bytes(), 4096 + largest_item);
    for (const std::string_view piece : gather.pieces()) body += piece;
    gather.Clear();
  }
  ListCursor again(snapshot_, spec);
  EXPECT_EQ(body, Body(again, 1));
  EXPECT_EQ(again.items(), 504u);
}

TEST_F(ListCursorTest, TheSizeIsKnownBeforehandOnlyWithoutSelectorsAndCuts) {
  ListSpec spec;
  spec.revision = {100};
  ListCursor whole(snapshot_, spec);
  EXPECT_GT(whole.total_bytes(), 0u);
  spec.limit = 2;
  ListCursor page(snapshot_, spec);
  EXPECT_EQ(page.total_bytes(), 0u);
  spec.limit = 0;
  spec.filter = Make("", "app", "");
  ListCursor selected(snapshot_, spec);
  EXPECT_EQ(selected.total_bytes(), 0u);
}

TEST_F(ListCursorTest, CandidatesAreAllThatIsLookedAt) {
  ListSpec spec;
  spec.filter = Make("a", "", "spec.nodeName=n1");
  spec.revision = snapshot_.revision;
  spec.candidates.emplace();
  for (const char* key : {"a-b/x", "a/x"}) spec.candidates->push_back(snapshot_.tree.Find(key));
  ListCursor with(snapshot_, spec);
  spec.candidates.reset();
  ListCursor without(snapshot_, spec);
  const std::string body = Body(with);
  EXPECT_EQ(body, Body(without));
  EXPECT_EQ(with.items(), 1u);
}

TEST_F(ListCursorTest, MetadataAlone) {
  ListSpec spec;
  spec.metadata_only = true;
  spec.filter = Make("a", "", "");
  spec.revision = snapshot_.revision;
  ListCursor cursor(snapshot_, spec);
  const std::string body = Body(cursor);
  EXPECT_EQ(body,
            R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",)"
            R"("metadata":{"resourceVersion":"100"},"items":[{"kind":"PartialObjectMetadata",)"
            R"("apiVersion":"meta.k8s.io/v1","metadata":{"name":"x","namespace":"a","uid":"u",)"
            R"("resourceVersion":"90","labels":{"app":"web"}}}]})"
            "\n");
  EXPECT_EQ(cursor.total_bytes(), body.size());
}

// As upstream: without any it is null, whether or not that is known beforehand.
TEST(CustomListCursorTest, MetadataAloneOfNothingIsNull) {
  const std::string head = R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",)"
                           R"("metadata":{"resourceVersion":"100"},"items":)";
  Snapshot snapshot;
  snapshot.revision = {100};
  snapshot.form = CronTabForm();
  for (const bool empty : {true, false}) {
    if (!empty) snapshot.tree.Put(MakeObject("a/x", 90));
    for (const char* labels : {"", "absent"}) {
      ListSpec spec;
      spec.metadata_only = true;
      spec.filter = Make("", labels, "");
      spec.revision = snapshot.revision;
      ListCursor cursor(snapshot, spec);
      const std::string body = Body(cursor);
      if (empty || *labels != 0) {
        EXPECT_EQ(body, head + "null}\n");
      } else {
        EXPECT_THAT(body, AllOf(StartsWith(head + "[{"), EndsWith("}]}\n")));
      }
      const uint64_t known = *labels == 0 ? body.size() : 0;
      EXPECT_EQ(cursor.total_bytes(), known);
    }
  }
}

// Reads what it writes, and compares the length that the head announced.
TEST(ProtoListCursorTest, EveryFormIsAWholeList) {
  TypeForm form;
  form.type = {.id = {"", "v1", "pods"}, .kind = "Pod"};
  form.encoding = Encoding::kProtobuf;
  form.list_kind = "PodList";
  form.fields = SelectableFields::BuiltIn(form.type.id);
  const MetadataScanner scanner(Encoding::kProtobuf, form.fields);
  Snapshot snapshot;
  snapshot.revision = {500};
  snapshot.form = std::make_shared<const TypeForm>(form);
  for (size_t i = 0; i < 200; ++i) {
    const ProtoObject object{.namespace_ = i % 3 == 0 ? "a" : "b",
                             .name = "x" + std::to_string(1000 + i),
                             .revision = i + 1,
                             .labels = {{"app", i % 2 == 0 ? "web" : "db"}},
                             .rest = std::string(2 * (i % 90), '\x78')};
    const std::string message = object.Message();
    snapshot.tree.Put(Object::Make(scanner.Scan(message).value(), Encoding::kProtobuf));
  }
  for (const bool metadata_only : {false, true}) {
    for (const char* labels : {"", "app=web"}) {
      for (const int64_t limit : {0, 7, 1000}) {
        ListSpec spec;
        spec.filter = Make("a", labels, "");
        spec.metadata_only = metadata_only;
        spec.limit = limit;
        spec.key_is_namespaced = false;
        spec.revision = snapshot.revision;
        ListCursor cursor(snapshot, spec);
        const std::string body = Body(cursor);
        if (cursor.total_bytes() != 0) {
          EXPECT_EQ(cursor.total_bytes(), body.size());
        }
        size_t items = 0;
        const auto reader = MakeListReader(Encoding::kProtobuf, [&](std::string_view item) {
          const ScannedObject object = scanner.Scan(item).value();
          EXPECT_EQ(object.namespace_, "a");
          if (metadata_only) {
            EXPECT_EQ(object.metadata.length, item.size());
          }
          ++items;
          return OkStatus();
        });
        ASSERT_TRUE(reader->Feed(body).ok());
        const ListSummary summary = reader->Finish().value();
        EXPECT_EQ(summary.kind, metadata_only ? "PartialObjectMetadataList" : "PodList");
        EXPECT_EQ(summary.resource_version, "500");
        EXPECT_EQ(summary.continue_token.empty(), limit != 7);
        EXPECT_EQ(items, limit == 7 ? 7u : *labels == '\0' ? 67u : 34u);
      }
    }
  }
}

}  // namespace
}  // namespace weir
