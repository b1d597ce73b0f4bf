// A LIST body in protobuf must read the same whether it comes at once or in pieces of any size, and
// its items are those that a look at the whole body finds.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_envelope.h"
#include "protocol/k8s/proto_list_reader.h"
#include "protocol/k8s/proto_wire.h"

namespace {

struct Outcome {
  std::string items;
  std::string summary;
  bool ok = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Read(std::string_view body, size_t piece) {
  Outcome outcome;
  weir::ProtobufListReader reader(
      [&outcome](std::string_view item) {
        weir::AppendBytesField(outcome.items, 2, item);
        return weir::OkStatus();
      },
      4096);
  for (size_t at = 0; at < body.size(); at += piece) {
    if (!reader.Feed(body.substr(at, piece)).ok()) break;
  }
  const auto summary = reader.Finish();
  outcome.ok = summary.ok();
  if (!outcome.ok) return outcome;
  outcome.summary = summary->kind + "|" + summary->api_version + "|" + summary->resource_version +
                    "|" + summary->continue_token;
  return outcome;
}

// The items of a whole body, each as its field.
std::string Items(std::string_view body) {
  const auto envelope = weir::OpenProtoEnvelope(body);
  if (!envelope.ok()) std::abort();
  std::string items;
  weir::ProtoReader reader(envelope->message);
  for (weir::ProtoField field; reader.Next(field);) {
    if (field.number == 2) weir::AppendBytesField(items, 2, field.bytes);
  }
  if (reader.failed()) std::abort();
  return items;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  const Outcome whole = Read(body, body.size() + 1);
  if (whole != Read(body, 1 + data[0])) std::abort();
  // The reader takes no notice of content types, nor of a type that is given twice.
  if (whole.ok && weir::OpenProtoEnvelope(body).ok() && whole.items != Items(body)) std::abort();
  return 0;
}
