#include "cache/framing.h"

#include <fmt/format.h>

#include <utility>

#include "cache/splice.h"
#include "protocol/k8s/proto_frame.h"
#include "protocol/k8s/watch_frame.h"

namespace weir {
namespace {

constexpr std::string_view kMetaVersion = "meta.k8s.io/v1";
constexpr std::string_view kPartial = "PartialObjectMetadata";
constexpr std::string_view kPartialHead =
    R"("kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":)";

}  // namespace

Framing::Framing(std::shared_ptr<const TypeForm> form, bool metadata_only)
    : form_(std::move(form)),
      metadata_only_(metadata_only || form_->encoding == Encoding::kProtobufMetadata),
      protobuf_(IsProtobuf(form_->encoding)),
      sorted_keys_(form_->typed_items && !metadata_only_),
      null_if_empty_(metadata_only_ && !protobuf_) {
  kind_ = metadata_only_ ? kPartial : form_->type.kind;
  api_version_ = metadata_only_ ? std::string(kMetaVersion) : form_->type.id.ApiVersion();
  list_kind_ = metadata_only_ ? "PartialObjectMetadataList" : form_->list_kind;
  if (protobuf_) {
    type_meta_ = ProtoTypeMeta(api_version_, kind_);
    return;
  }
  const std::string_view inner = metadata_only_ ? kPartialHead : form_->type_prefix;
  added_ = fmt::format("{}{}", kAddedPrefix, inner);
  modified_ = fmt::format("{}{}", kModifiedPrefix, inner);
  deleted_ = fmt::format("{}{}", kDeletedPrefix, inner);
  // The rest of an object ends with its brace, the metadata with its own.
  frame_tail_ = metadata_only_ ? fmt::format("}}{}", kEventSuffix) : std::string(kEventSuffix);
  object_head_ = fmt::format("{{{}", inner);
  object_tail_ = metadata_only_ ? "}\n" : "\n";
  // Only items of built-in lists come without their type.
  const std::string item_head = metadata_only_ ? fmt::format("{{{}", kPartialHead) : "{";
  first_item_ = null_if_empty_ ? "[" + item_head : item_head;
  next_item_ = "," + item_head;
  item_tail_ = metadata_only_ ? "}" : "";
}

// ---- WATCH

std::string_view Framing::HeadOf(Transition transition) const {
  if (transition == Transition::kEnters) return added_;
  return transition == Transition::kStays ? modified_ : deleted_;
}

std::string_view Framing::TypeName(Transition transition) const {
  if (transition == Transition::kEnters) return "ADDED";
  return transition == Transition::kStays ? "MODIFIED" : "DELETED";
}

void Framing::AddFrame(Transition transition, std::string_view body, Gather& gather) const {
  if (!protobuf_) {
    gather.Add(HeadOf(transition));
    gather.Add(body);
    gather.Add(frame_tail_);
    return;
  }
  const std::string_view type = TypeName(transition);
  const size_t head_bytes = ProtoEventHeadBytes(type, type_meta_, body.size());
  PutProtoEventHead(gather.Room(head_bytes), type, type_meta_, body.size());
  gather.Commit(head_bytes);
  gather.Add(body);
  gather.Add(kProtoEnvelopeTail);
}

void Framing::AddLeaving(const LogEvent& event, Gather& gather) const {
  char* const scratch = gather.Room(RevisionSplice::kScratchBytes);
  const RevisionSplice splice(*event.previous, event.revision, scratch);
  gather.Keep(RevisionSplice::kScratchBytes);
  const auto pieces = metadata_only_ ? splice.Metadata() : splice.Whole();
  const size_t bytes = metadata_only_ ? splice.metadata_bytes() : splice.whole_bytes();
  if (protobuf_) {
    const size_t head_bytes = ProtoEventHeadBytes("DELETED", type_meta_, bytes);
    PutProtoEventHead(gather.Room(head_bytes), "DELETED", type_meta_, bytes);
    gather.Commit(head_bytes);
  } else {
    gather.Add(deleted_);
  }
  for (const std::string_view piece : pieces) gather.Add(piece);
  gather.Add(protobuf_ ? kProtoEnvelopeTail : frame_tail_);
}

void Framing::AddEvent(Transition transition, const LogEvent& event, Gather& gather) const {
  if (transition == Transition::kLeaves) return AddLeaving(event, gather);
  AddFrame(transition, Body(*event.object), gather);
}

void Framing::AddInitial(const Object& object, Gather& gather) const {
  AddFrame(Transition::kEnters, Body(object), gather);
}

size_t Framing::FrameBytes(Transition transition, const Object& object) const {
  const size_t body = Body(object).size();
  if (!protobuf_) return HeadOf(transition).size() + body + frame_tail_.size();
  return ProtoEventHeadBytes(TypeName(transition), type_meta_, body) + body +
         kProtoEnvelopeTail.size();
}

size_t Framing::EventBytes(Transition transition, const LogEvent& event) const {
  return FrameBytes(transition,
                    transition == Transition::kLeaves ? *event.previous : *event.object);
}

std::string Framing::Bookmark(Revision revision, bool initial_events_end) const {
  if (protobuf_) return ProtoBookmarkFrame(type_meta_, revision, initial_events_end);
  return BookmarkFrame(kind_, api_version_, sorted_keys_, revision, initial_events_end);
}

std::string Framing::Error(Encoding encoding, const ApiError& error) {
  return IsProtobuf(encoding) ? ProtoErrorFrame(error) : ErrorFrame(error);
}

// ---- GET

void Framing::AddObject(const Object& object, Gather& gather) const {
  const std::string_view body = Body(object);
  if (!protobuf_) {
    gather.Add(object_head_);
    gather.Add(body);
    gather.Add(object_tail_);
    return;
  }
  const size_t head_bytes = ProtoEnvelopeHeadBytes(type_meta_, body.size());
  PutProtoEnvelopeHead(gather.Room(head_bytes), type_meta_, body.size());
  gather.Commit(head_bytes);
  gather.Add(body);
  gather.Add(kProtoEnvelopeTail);
}

// ---- LIST

// Everything around the items (api-semantics 2.8).
std::string Framing::ListHead(const ListMeta& meta, uint64_t items_bytes) const {
  if (protobuf_) {
    return ProtoListHead(ProtoTypeMeta(api_version_, list_kind_), meta.revision.value,
                         meta.continue_token, meta.remaining, items_bytes);
  }
  if (sorted_keys_) return fmt::format(R"({{"apiVersion":"{}","items":[)", api_version_);
  std::string head =
      fmt::format(R"({{"kind":"{}","apiVersion":"{}","metadata":{{"resourceVersion":"{}")",
                  list_kind_, api_version_, meta.revision.value);
  if (!meta.continue_token.empty()) {
    head += fmt::format(R"(,"continue":"{}")", meta.continue_token);
  }
  if (meta.remaining > 0) head += fmt::format(R"(,"remainingItemCount":{})", meta.remaining);
  head += null_if_empty_ ? R"(},"items":)" : R"(},"items":[)";
  return head;
}

std::string Framing::ListTail(const ListMeta& meta, bool empty) const {
  if (protobuf_) return std::string(kProtoEnvelopeTail);
  if (null_if_empty_ && empty) return "null}\n";
  if (!sorted_keys_) return "]}\n";
  const std::string remaining =
      meta.remaining == 0 ? "" : fmt::format(R"("remainingItemCount":{},)", meta.remaining);
  return fmt::format(R"(],"kind":"{}","metadata":{{"continue":"{}",{}"resourceVersion":"{}"}}}})",
                     list_kind_, meta.continue_token, remaining, meta.revision.value) +
         "\n";
}

void Framing::AddItem(const Object& object, bool first, Gather& gather) const {
  const std::string_view body = Body(object);
  if (protobuf_) {
    char* const room = gather.Room(kMaxProtoItemHead);
    gather.Commit(static_cast<size_t>(PutProtoItemHead(room, body.size()) - room));
    gather.Add(body);
    return;
  }
  gather.Add(first ? first_item_ : next_item_);
  gather.Add(body);
  if (metadata_only_) gather.Add(item_tail_);
}

uint64_t Framing::ItemBytes(const Object& object) const {
  const size_t body = Body(object).size();
  return protobuf_ ? ProtoItemBytes(body) : next_item_.size() - 1 + body + item_tail_.size();
}

uint64_t Framing::ItemBytes(const ObjectTree::Sums& sums) const {
  const uint64_t bytes = metadata_only_ ? sums.metadata_bytes : sums.rest_bytes;
  return protobuf_ ? bytes : bytes + sums.objects * (next_item_.size() - 1 + item_tail_.size());
}

}  // namespace weir
