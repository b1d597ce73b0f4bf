#include "cache/framing.h"

#include <string>

#include "gtest/gtest.h"
#include "protocol/k8s/proto_frame.h"
#include "tests/cache/test_objects.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

std::string Text(const Gather& gather) {
  std::string text;
  for (const std::string_view piece : gather.pieces()) text += piece;
  EXPECT_EQ(text.size(), gather.bytes());
  return text;
}

std::string EventOf(const Framing& framing, Transition transition, const LogEvent& event) {
  Gather gather;
  framing.AddEvent(transition, event, gather);
  return Text(gather);
}

LogEvent Change(ObjectRef before, ObjectRef after) {
  const Revision revision = after->revision();
  return {revision, EventType::kModified, std::move(after), std::move(before)};
}

// ---- JSON

TEST(FramingTest, EventsCarryTheTypeThatListItemsLack) {
  const Framing framing(PodForm(), false);
  const LogEvent event = Change(MakeObject("a/x", 5), MakeObject("a/x", 9));
  EXPECT_EQ(EventOf(framing, Transition::kStays, event),
            R"({"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x",)"
            R"("namespace":"a","uid":"u","resourceVersion":"9"},"spec":{}}})"
            "\n");
  EXPECT_EQ(framing.EventBytes(Transition::kStays, event),
            EventOf(framing, Transition::kStays, event).size());
}

TEST(FramingTest, WhatLeavesASelectorIsThePreviousStateAtTheNewRevision) {
  const Framing framing(PodForm(), false);
  const LogEvent event = Change(MakeObject("a/x", 5), MakeObject("a/x", 1009, {.note = "new"}));
  EXPECT_EQ(EventOf(framing, Transition::kLeaves, event),
            R"({"type":"DELETED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x",)"
            R"("namespace":"a","uid":"u","resourceVersion":"1009"},"spec":{}}})"
            "\n");
}

TEST(FramingTest, MetadataAloneIsCutOutOfTheObject) {
  const Framing framing(PodForm(), true);
  const LogEvent event = Change(MakeObject("a/x", 5), MakeObject("a/x", 10));
  const std::string head =
      R"({"type":"ADDED","object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",)";
  EXPECT_EQ(EventOf(framing, Transition::kEnters, event),
            head + R"("metadata":{"name":"x","namespace":"a","uid":"u","resourceVersion":"10"}}})"
                   "\n");
  EXPECT_EQ(EventOf(framing, Transition::kLeaves, event),
            R"({"type":"DELETED","object":{"kind":"PartialObjectMetadata",)"
            R"("apiVersion":"meta.k8s.io/v1","metadata":{"name":"x","namespace":"a","uid":"u",)"
            R"("resourceVersion":"10"}}})"
            "\n");
  Gather gather;
  framing.AddObject(*event.object, gather);
  EXPECT_EQ(Text(gather),
            R"({"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":)"
            R"({"name":"x","namespace":"a","uid":"u","resourceVersion":"10"}})"
            "\n");
}

TEST(FramingTest, MetadataOfCustomResourcesIsListedAsOfBuiltInTypes) {
  const Framing framing(CronTabForm(), true);
  EXPECT_EQ(framing.ListHead({.revision = {100}, .continue_token = "tok", .remaining = 3}, 0),
            R"({"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1",)"
            R"("metadata":{"resourceVersion":"100","continue":"tok","remainingItemCount":3},)"
            R"("items":)");
  const Framing::ListMeta meta{.revision = {100}, .continue_token = "tok"};
  EXPECT_EQ(framing.ListTail(meta, /*empty=*/false), "]}\n");
  EXPECT_EQ(framing.ListTail(meta, /*empty=*/true), "null}\n");
  EXPECT_EQ(framing.Bookmark({7}, false),
            R"({"type":"BOOKMARK","object":{"kind":"PartialObjectMetadata",)"
            R"("apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"7"}}})"
            "\n");
}

// ---- protobuf

std::shared_ptr<const TypeForm> ProtoPodForm() {
  TypeForm form;
  form.type = {.id = {"", "v1", "pods"}, .kind = "Pod"};
  form.encoding = Encoding::kProtobuf;
  form.list_kind = "PodList";
  form.fields = SelectableFields::BuiltIn(form.type.id);
  return std::make_shared<const TypeForm>(form);
}

ObjectRef MakeProto(const ProtoObject& object) {
  const std::string message = object.Message();
  const MetadataScanner scanner(Encoding::kProtobuf, ProtoPodForm()->fields);
  return Object::Make(scanner.Scan(message).value(), Encoding::kProtobuf);
}

std::string Framed(std::string_view type, std::string_view type_meta, std::string_view message) {
  std::string frame(ProtoEventHeadBytes(type, type_meta, message.size()), '\0');
  PutProtoEventHead(frame.data(), type, type_meta, message.size());
  return frame + std::string(message) + std::string(kProtoEnvelopeTail);
}

TEST(FramingTest, ProtobufEventsWrapTheMessageAsItCame) {
  const Framing framing(ProtoPodForm(), false);
  const ProtoObject before{.namespace_ = "a", .name = "x", .uid = "u", .revision = 5};
  ProtoObject after = before;
  after.revision = 9;
  const LogEvent event = Change(MakeProto(before), MakeProto(after));
  const std::string expected = Framed("MODIFIED", ProtoTypeMeta("v1", "Pod"), after.Message());
  EXPECT_EQ(EventOf(framing, Transition::kStays, event), expected);
  EXPECT_EQ(framing.EventBytes(Transition::kStays, event), expected.size());
}

TEST(FramingTest, ProtobufObjectsLeaveWithTheirLengthsRewritten) {
  const Framing whole(ProtoPodForm(), false);
  const Framing partial(ProtoPodForm(), true);
  // Revisions of other lengths, and metadata whose own length grows by a byte.
  for (const uint64_t revision : {uint64_t{6}, uint64_t{60}, uint64_t{1234567}, UINT64_MAX}) {
    for (const size_t uid : {size_t{1}, size_t{70}, size_t{80}, size_t{200}}) {
      ProtoObject before{.namespace_ = "a",
                         .name = "x",
                         .uid = std::string(uid, 'u'),
                         .revision = 5,
                         .labels = {{"app", "web"}},
                         .rest = std::string("\x12\x02\x08\x01", 4)};
      ProtoObject after = before;
      after.revision = revision;
      const LogEvent event = Change(MakeProto(before), MakeProto(after));
      EXPECT_EQ(EventOf(whole, Transition::kLeaves, event),
                Framed("DELETED", ProtoTypeMeta("v1", "Pod"), after.Message()));
      ProtoObject bare = after;
      bare.rest.clear();
      EXPECT_EQ(EventOf(partial, Transition::kLeaves, event),
                Framed("DELETED", ProtoTypeMeta("meta.k8s.io/v1", "PartialObjectMetadata"),
                       bare.Message()));
      // The same splice, copied into an object of its own, is what a scan would have found.
      const ObjectRef moved = Object::WithRevision(*event.previous, {revision});
      EXPECT_EQ(moved->rest(), after.Message());
      EXPECT_EQ(moved->uid(), event.object->uid());
      EXPECT_EQ(moved->metadata(), event.object->metadata());
      EXPECT_EQ(moved->labels().Find("app"), "web");
      EXPECT_EQ(moved->revision_digits().In(moved->rest()), std::to_string(revision));
    }
  }
}

TEST(FramingTest, ProtobufItemsAreCountedBeforeTheyAreWritten) {
  for (const bool metadata_only : {false, true}) {
    const Framing framing(ProtoPodForm(), metadata_only);
    ObjectTree tree;
    Gather items;
    uint64_t bytes = 0;
    for (size_t i = 0; i < 300; ++i) {
      const ObjectRef object = MakeProto({.namespace_ = "a",
                                          .name = "x" + std::to_string(i),
                                          .revision = i + 1,
                                          .rest = std::string(i % 2 == 0 ? 0 : 2 * i, '\x78')});
      framing.AddItem(*object, i == 0, items);
      bytes += framing.ItemBytes(*object);
      tree.Put(object);
    }
    EXPECT_EQ(items.bytes(), bytes);
    EXPECT_EQ(framing.ItemBytes(tree.sums()), bytes);
  }
}

}  // namespace
}  // namespace weir
