// What Weir reads and writes in protobuf against the bytes of kube-apiserver's own serializers
// (golden/README.md).
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "protocol/k8s/labels_view.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_envelope.h"
#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/proto_list_reader.h"
#include "protocol/k8s/proto_scan.h"
#include "protocol/k8s/proto_splice.h"
#include "protocol/k8s/proto_watch_frame.h"

namespace weir {
namespace {

using Record = std::map<std::string, std::string>;

std::vector<Record> ReadRecords(const std::string& name) {
  std::ifstream file(std::string(WEIR_GOLDEN_FOLDER "/") + name);
  std::vector<Record> records(1);
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) {
      records.emplace_back();
      continue;
    }
    const size_t space = line.find(' ');
    records.back()[line.substr(0, space)] = line.substr(space + 1);
  }
  records.pop_back();  // The last one's end is a blank line too.
  EXPECT_FALSE(records.empty()) << name;
  return records;
}

std::string FromHex(const std::string& text) { return absl::HexStringToBytes(text); }

// Those of `name` without their envelope.
std::string MessageIn(const Record& record, const std::string& name) {
  const std::string bytes = FromHex(record.at(name));
  return std::string(OpenProtoEnvelope(bytes)->message);
}

std::string Enveloped(std::string_view type_meta, std::string_view message) {
  std::string out(ProtoEnvelopeHeadBytes(type_meta, message.size()), '\0');
  PutProtoEnvelopeHead(out.data(), type_meta, message.size());
  return out.append(message).append(kProtoEnvelopeTail);
}

std::string Framed(std::string_view type, std::string_view type_meta, std::string_view message) {
  std::string out(ProtoEventHeadBytes(type, type_meta, message.size()), '\0');
  PutProtoEventHead(out.data(), type, type_meta, message.size());
  return out.append(message).append(kProtoEnvelopeTail);
}

std::string Spliced(std::string_view message, const ScannedObject& object,
                    std::string_view digits) {
  char scratch[kSpliceScratch];
  std::array<std::string_view, kMaxSplicePieces> pieces;
  size_t count = 0;
  SpliceRevision(message, object.metadata, object.revision_digits, digits, scratch, pieces, count);
  std::string out;
  for (size_t i = 0; i < count; ++i) out.append(pieces[i]);
  return out;
}

struct Sample {
  ResourceId id;
  std::string type_meta;
  std::shared_ptr<const SelectableFields> fields;
  std::string json, message;
};

Sample SampleOf(const Record& record) {
  Sample sample;
  sample.id = {record.at("group"), record.at("version"), record.at("resource")};
  sample.type_meta = ProtoTypeMeta(sample.id.ApiVersion(), record.at("kind"));
  sample.fields = SelectableFields::BuiltIn(sample.id);
  sample.json = record.at("json");
  sample.json.reserve(sample.json.size() + MetadataScanner::kPadding);
  sample.message = MessageIn(record, "object");
  return sample;
}

const std::string kPartial = ProtoTypeMeta("meta.k8s.io/v1", "PartialObjectMetadata");

TEST(ProtoGoldenTest, BothEncodingsOfAnObjectScanAlike) {
  for (const Record& record : ReadRecords("objects.txt")) {
    const Sample sample = SampleOf(record);
    SCOPED_TRACE(sample.id.ToString());
    const auto json = MetadataScanner(Encoding::kJson, sample.fields).Scan(sample.json);
    const auto proto = MetadataScanner(Encoding::kProtobuf, sample.fields).Scan(sample.message);
    ASSERT_TRUE(json.ok() && proto.ok());
    EXPECT_EQ(proto->name, json->name);
    EXPECT_EQ(proto->namespace_, json->namespace_);
    EXPECT_EQ(proto->uid, json->uid);
    EXPECT_EQ(proto->revision, json->revision);
    for (const char* label : {"app", "app.kubernetes.io/name", "empty", "note"}) {
      EXPECT_EQ(LabelsView(proto->labels.In(sample.message), Encoding::kProtobuf).Find(label),
                LabelsView(json->labels.In(json->rest), Encoding::kJson).Find(label));
    }
    for (size_t i = 0; i < sample.fields->size(); ++i) {
      const SelectableField& field = (*sample.fields)[i];
      std::string scratch, proto_scratch;
      EXPECT_EQ(field.Text(proto->fields[i].In(sample.message), Encoding::kProtobuf, proto_scratch),
                field.Text(json->fields[i].In(json->rest), Encoding::kJson, scratch))
          << field.label;
    }
  }
}

TEST(ProtoGoldenTest, EverySelectableFieldIsSetInSomeObject) {
  // Else the test above says little. "status.podIPs" has no value upstream either.
  std::map<std::string, bool> set;
  for (const Record& record : ReadRecords("objects.txt")) {
    const Sample sample = SampleOf(record);
    const auto object = ScanProtobuf(sample.message, *sample.fields).value();
    for (size_t i = 0; i < sample.fields->size(); ++i) {
      std::string scratch;
      const SelectableField& field = (*sample.fields)[i];
      const std::string_view text =
          field.Text(object.fields[i].In(sample.message), Encoding::kProtobuf, scratch);
      const bool is_set = !text.empty() && text != "0" && text != "false";
      set[sample.id.ToString() + " " + field.label] |= is_set;
    }
  }
  EXPECT_GT(set.size(), 30u);
  for (const auto& [name, is_set] : set) {
    EXPECT_EQ(is_set, !name.ends_with("status.podIPs")) << name;
  }
}

TEST(ProtoGoldenTest, ObjectsAndTheirMetadataAreWrittenAsUpstreamDoes) {
  for (const Record& record : ReadRecords("objects.txt")) {
    const Sample sample = SampleOf(record);
    SCOPED_TRACE(sample.id.ToString());
    EXPECT_EQ(Enveloped(sample.type_meta, sample.message), FromHex(record.at("object")));
    EXPECT_EQ(Framed("ADDED", sample.type_meta, sample.message), FromHex(record.at("added")));
    const auto object = ScanProtobuf(sample.message, *sample.fields).value();
    EXPECT_EQ(Enveloped(kPartial, object.metadata.In(sample.message)),
              FromHex(record.at("partial")));
  }
}

TEST(ProtoGoldenTest, ObjectsThatLeaveASelectorAreWrittenAsUpstreamDoes) {
  for (const Record& record : ReadRecords("objects.txt")) {
    const Sample sample = SampleOf(record);
    SCOPED_TRACE(sample.id.ToString());
    const auto object = ScanProtobuf(sample.message, *sample.fields).value();
    const std::string longer = "18446744073709551615";
    EXPECT_EQ(Framed("DELETED", sample.type_meta, Spliced(sample.message, object, longer)),
              FromHex(record.at("left")));
    EXPECT_EQ(Framed("DELETED", sample.type_meta, Spliced(sample.message, object, "12747")),
              FromHex(record.at("left_same")));
    const std::string_view metadata = object.metadata.In(sample.message);
    EXPECT_EQ(Framed("DELETED", kPartial, Spliced(metadata, object, longer)),
              FromHex(record.at("left_partial")));
  }
}

TEST(ProtoGoldenTest, WatchEventsAreReadAsUpstreamWritesThem) {
  ProtobufWatchFrameReader reader;
  for (const Record& record : ReadRecords("objects.txt")) {
    reader.Feed(FromHex(record.at("added")));
    WatchFrame frame;
    ASSERT_TRUE(reader.Next(frame).value());
    EXPECT_EQ(frame.type, FrameType::kAdded);
    EXPECT_EQ(frame.kind, record.at("kind"));
    EXPECT_EQ(frame.object, MessageIn(record, "object"));
    EXPECT_EQ(reader.pending(), 0u);
  }
}

TEST(ProtoGoldenTest, ListsAreReadAndWrittenAsUpstreamDoes) {
  for (const Record& record : ReadRecords("lists.txt")) {
    const std::string body = FromHex(record.at("list"));
    std::string items;
    size_t count = 0;
    ProtobufListReader reader([&](std::string_view item) {
      ++count;
      EXPECT_TRUE(ScanProtobuf(item, SelectableFields()).ok());
      char head[kMaxProtoItemHead];
      items.append(head, PutProtoItemHead(head, item.size())).append(item);
      return OkStatus();
    });
    ASSERT_TRUE(reader.Feed(body).ok());
    const ListSummary summary = reader.Finish().value();
    EXPECT_EQ(summary.kind, record.at("kind"));
    EXPECT_EQ(summary.api_version, record.at("api_version"));
    EXPECT_EQ(summary.resource_version, record.at("revision"));
    EXPECT_EQ(summary.continue_token, record.at("continue"));
    EXPECT_EQ(std::to_string(count), record.at("items"));

    const auto remaining = record.find("remaining");
    const std::string head =
        ProtoListHead(ProtoTypeMeta(summary.api_version, summary.kind),
                      std::stoull(summary.resource_version), summary.continue_token,
                      remaining == record.end() ? 0 : std::stoull(remaining->second), items.size());
    EXPECT_EQ(head + items + std::string(kProtoEnvelopeTail), body) << summary.kind;
  }
}

// The errors of golden/statuses.txt, by their names there.
std::map<std::string, ApiError> Errors() {
  std::map<std::string, ApiError> errors;
  errors["unauthorized"] = ApiError::Unauthorized();
  errors["forbidden"] =
      ApiError::Forbidden({"", "v1", "pods"}, "", "pods is forbidden: User \"u\" cannot list");
  errors["not_found"] = ApiError::NotFound({"apps", "v1", "deployments"}, "nope");
  errors["too_large"] = ApiError::TooLargeResourceVersion(999, 100);
  errors["watch_expired"] = ApiError::WatchExpired(5, 100);
  errors["continue_expired"] = ApiError::ContinueExpired("fresh");
  errors["continue_expired"].message = "the token is old";
  errors["too_many_requests"] = ApiError::TooManyRequests("storage is (re)initializing", 3);
  errors["plain"] = ApiError::BadGateway("<&> \"no\"");
  return errors;
}

TEST(ProtoGoldenTest, ErrorsAreReadAndWrittenAsUpstreamDoes) {
  std::map<std::string, ApiError> errors = Errors();
  for (const Record& record : ReadRecords("statuses.txt")) {
    const std::string& name = record.at("name");
    SCOPED_TRACE(name);
    ASSERT_EQ(errors.count(name), 1u);
    const ApiError& error = errors[name];
    EXPECT_EQ(error.ToJson(), record.at("json"));
    EXPECT_EQ(ProtoStatus(error), FromHex(record.at("body")));
    EXPECT_EQ(ProtoErrorFrame(error), FromHex(record.at("frame")));

    const StatusSummary summary = ReadProtobufStatus(FromHex(record.at("body")));
    EXPECT_EQ(summary.code, error.code);
    EXPECT_EQ(summary.reason, error.reason);
    EXPECT_EQ(summary.message, error.message);
    errors.erase(name);
  }
  EXPECT_TRUE(errors.empty());
}

TEST(ProtoGoldenTest, BookmarksAreReadAndWrittenAsUpstreamDoes) {
  for (const Record& record : ReadRecords("bookmarks.txt")) {
    const std::string bytes = FromHex(record.at("frame"));
    ProtobufWatchFrameReader reader;
    reader.Feed(bytes);
    WatchFrame frame;
    ASSERT_TRUE(reader.Next(frame).value());
    EXPECT_EQ(frame.type, FrameType::kBookmark);
    EXPECT_EQ(ProtobufBookmarkRevision(frame.object).value(), Revision{12746});
    const auto written = record.find("written");
    if (written == record.end()) continue;
    const std::string type_meta = ProtoTypeMeta(record.at("api_version"), record.at("kind"));
    EXPECT_EQ(ProtoBookmarkFrame(type_meta, {12746}, written->second == "true"), bytes);
  }
}

}  // namespace
}  // namespace weir
