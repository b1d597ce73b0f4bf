// FakeApiServer in protobuf, as upstream writes it: built-in types whole, of custom resources the
// metadata.
#include "protocol/k8s/proto_frame.h"
#include "tests/fakes/fake_exchange.h"
#include "tests/fakes/proto_object.h"

namespace weir {
namespace {

std::string TypeMeta(const ResourceType& type, Encoding encoding, std::string_view suffix) {
  if (encoding == Encoding::kProtobufMetadata) {
    return ProtoTypeMeta("meta.k8s.io/v1", fmt::format("PartialObjectMetadata{}", suffix));
  }
  return ProtoTypeMeta(type.id.ApiVersion(), type.kind + std::string(suffix));
}

std::string Message(const FakeApiServer::Stored& stored, Encoding encoding) {
  ProtoObject object{.namespace_ = stored.namespace_,
                     .name = stored.name,
                     .uid = stored.uid,
                     .revision = stored.revision.value,
                     .labels = {stored.fields.labels.begin(), stored.fields.labels.end()}};
  if (encoding == Encoding::kProtobuf) {
    std::string spec;
    if (!stored.fields.node.empty()) AppendBytesField(spec, 10, stored.fields.node);
    AppendBytesField(object.rest, 2, spec);
  }
  return object.Message();
}

}  // namespace

std::string FakeApiServer::ProtobufFrame(const ResourceType& type, const Change& change,
                                         Encoding encoding) {
  const std::string message = Message(change.after, encoding);
  const std::string type_meta = TypeMeta(type, encoding, "");
  const std::string_view name = TypeName(change.type);
  std::string frame(ProtoEventHeadBytes(name, type_meta, message.size()), '\0');
  PutProtoEventHead(frame.data(), name, type_meta, message.size());
  return frame + message + std::string(kProtoEnvelopeTail);
}

std::string FakeApiServer::ProtobufBookmark(const ResourceType& type, uint64_t revision,
                                            Encoding encoding) {
  return ProtoBookmarkFrame(TypeMeta(type, encoding, ""), Revision{revision}, false);
}

std::string FakeApiServer::ProtobufList(const ResourceType& type, const std::vector<Stored>& items,
                                        std::string_view token, std::string_view revision,
                                        Encoding encoding) {
  std::string list, meta;
  AppendBytesField(meta, 1, "");
  AppendBytesField(meta, 2, revision);
  AppendBytesField(meta, 3, token);
  AppendBytesField(list, 1, meta);
  for (const Stored& stored : items) AppendBytesField(list, 2, Message(stored, encoding));
  const std::string type_meta = TypeMeta(type, encoding, "List");
  std::string head(ProtoEnvelopeHeadBytes(type_meta, list.size()), '\0');
  PutProtoEnvelopeHead(head.data(), type_meta, list.size());
  return head + list + std::string(kProtoEnvelopeTail);
}

}  // namespace weir
