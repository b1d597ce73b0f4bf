#include "protocol/k8s/proto_scan.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "protocol/k8s/labels_view.h"
#include "protocol/k8s/proto_wire.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

SelectableField Field(SelectableField::Kind kind, std::vector<uint32_t> path) {
  SelectableField field;
  field.kind = kind;
  field.proto_path = std::move(path);
  return field;
}

using Kind = SelectableField::Kind;
const SelectableFields kFields({Field(Kind::kString, {2, 10}), Field(Kind::kBool, {2, 11}),
                                Field(Kind::kString, {3, 1}), Field(Kind::kNumber, {3, 70}),
                                Field(Kind::kString, {2, 64, 3}), Field(Kind::kString, {5})});

StatusOr<ScannedObject> Scan(std::string_view message) { return ScanProtobuf(message, kFields); }

std::string Bytes(uint32_t number, std::string_view bytes) {
  std::string out;
  AppendBytesField(out, number, bytes);
  return out;
}
std::string Varint(uint32_t number, uint64_t value) {
  std::string out;
  AppendVarintField(out, number, value);
  return out;
}

// A message whose metadata is `metadata`, and one that has what it must have.
std::string WithMetadata(const std::string& metadata, const std::string& rest = "") {
  return Bytes(1, metadata) + rest;
}
const std::string kMinimal = Bytes(1, "a") + Bytes(6, "5");

ProtoObject Pod() {
  return {.namespace_ = "shop",
          .name = "web-1",
          .uid = "u-1",
          .revision = 12746,
          .labels = {{"app", "web"}, {"tier", ""}},
          .rest = Bytes(2, Bytes(2, Bytes(1, "container")) + Bytes(10, "node-7") + Varint(11, 1) +
                               Bytes(64, Bytes(3, "deep"))) +
                  Bytes(3, Bytes(1, "Running") + Varint(70, 300)) + Bytes(5, "last")};
}

TEST(ProtoScanTest, WhatTheCacheMustKnowIsFound) {
  const std::string message = Pod().Message();
  const ScannedObject pod = Scan(message).value();
  EXPECT_EQ(pod.rest, message);
  EXPECT_TRUE(pod.type_prefix.empty());
  EXPECT_TRUE(pod.kind.empty());
  EXPECT_EQ(pod.name, "web-1");
  EXPECT_EQ(pod.namespace_, "shop");
  EXPECT_EQ(pod.uid, "u-1");
  EXPECT_EQ(pod.revision, Revision{12746});
  EXPECT_EQ(pod.revision_digits.In(message), "12746");
  EXPECT_EQ(pod.metadata.In(message), Bytes(1, Pod().Metadata()));
  EXPECT_EQ(pod.labels.In(message), Bytes(11, Bytes(1, "app") + Bytes(2, "web")) +
                                        Bytes(11, Bytes(1, "tier") + Bytes(2, "")));
  const LabelsView labels(pod.labels.In(message), Encoding::kProtobuf);
  EXPECT_EQ(labels.Find("app"), "web");
  EXPECT_EQ(labels.Find("tier"), "");
  EXPECT_EQ(labels.Find("web"), std::nullopt);
}

TEST(ProtoScanTest, SelectableFieldsAreStringsOrVarints) {
  const std::string message = Pod().Message();
  const ScannedObject pod = Scan(message).value();
  ASSERT_EQ(pod.field_count, 6u);
  const char* const expected[] = {"node-7", "\x01", "Running", "\xac\x02", "deep", "last"};
  for (size_t i = 0; i < pod.field_count; ++i) {
    EXPECT_EQ(pod.fields[i].In(message), expected[i]) << i;
  }
}

TEST(ProtoScanTest, WhatIsNotThereIsEmpty) {
  const std::string message = WithMetadata(kMinimal);
  const ScannedObject object = Scan(message).value();
  EXPECT_EQ(object.name, "a");
  EXPECT_TRUE(object.namespace_.empty());
  EXPECT_EQ(object.labels.length, 0u);
  for (size_t i = 0; i < object.field_count; ++i) EXPECT_EQ(object.fields[i].length, 0u);
  EXPECT_EQ(LabelsView("", Encoding::kProtobuf).Find(""), std::nullopt);
}

TEST(ProtoScanTest, AFieldInTheSecondOfTwoPartsOfAMessageCounts) {  // Parts are merged.
  const std::string message =
      WithMetadata(kMinimal, Bytes(2, Varint(11, 1)) + Bytes(2, Bytes(10, "node-7")));
  EXPECT_EQ(Scan(message)->fields[0].In(message), "node-7");
}

TEST(ProtoScanTest, TheScannerReadsMessagesWhereItsEncodingIsProtobuf) {
  const std::string message = Pod().Message();
  const auto fields = std::make_shared<const SelectableFields>(kFields);
  for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kProtobufMetadata}) {
    EXPECT_EQ(MetadataScanner(encoding, fields).Scan(message)->name, "web-1");
  }
  EXPECT_FALSE(MetadataScanner(Encoding::kJson, fields).Scan(message).ok());
}

TEST(ProtoScanTest, WhatCannotBeCachedIsRefused) {
  const std::string label = Bytes(11, Bytes(1, "k"));
  for (const std::string& message : {
           std::string(),
           Bytes(2, "spec before metadata") + WithMetadata(kMinimal),
           WithMetadata(kMinimal) + WithMetadata(kMinimal),
           Varint(1, 5),
           WithMetadata(Bytes(1, "a")),
           WithMetadata(Bytes(6, "5")),
           WithMetadata(Bytes(1, "") + Bytes(6, "5")),
           WithMetadata(Bytes(1, "a/b") + Bytes(6, "5")),
           WithMetadata(kMinimal + Bytes(3, "a/b")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "0")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "05")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "-5")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "5x")),
           WithMetadata(Bytes(1, "a") + Bytes(6, "99999999999999999999")),
           WithMetadata(Bytes(1, "a") + Varint(6, 5)),
           WithMetadata(Varint(1, 5) + Bytes(6, "5")),
           WithMetadata(kMinimal + Bytes(1, "b")),
           WithMetadata(kMinimal + Bytes(6, "6")),
           WithMetadata(kMinimal + Bytes(3, "n") + Bytes(3, "m")),
           WithMetadata(kMinimal + Bytes(5, "u") + Bytes(5, "v")),
           WithMetadata(kMinimal + label + Bytes(14, "finalizer") + label),
           WithMetadata(kMinimal + Varint(11, 1)),
           WithMetadata(kMinimal + "\x0f"),
           WithMetadata(kMinimal, "\x0f"),
           WithMetadata(kMinimal, Varint(2, 5)),
           WithMetadata(kMinimal, Bytes(2, "\x0f")),
           WithMetadata(kMinimal, Bytes(2, Varint(10, 5))),
           WithMetadata(kMinimal, Bytes(2, Bytes(11, "true"))),
           WithMetadata(kMinimal, Bytes(2, Bytes(10, "n") + Bytes(10, "m"))),
           WithMetadata(kMinimal, Bytes(2, Bytes(10, "")) + Bytes(2, Bytes(10, "m"))),
       }) {
    EXPECT_EQ(Scan(message).status().code(), absl::StatusCode::kInvalidArgument)
        << testing::PrintToString(message);
  }
}

TEST(ProtoScanTest, ATruncatedMessageIsRefusedUnlessItEndsBehindAField) {
  const std::string message = Pod().Message();
  std::vector<bool> whole(message.size() + 1);
  ProtoReader reader(message);
  for (ProtoField field; reader.Next(field);) whole[reader.position()] = true;
  for (size_t length = 0; length <= message.size(); ++length) {
    const std::string cut = message.substr(0, length);  // On the heap: no read behind its end.
    EXPECT_EQ(Scan(cut).ok(), whole[length]) << length;
  }
}

}  // namespace
}  // namespace weir
