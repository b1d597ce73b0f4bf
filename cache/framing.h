// What stands around objects' own bytes in every answer, for one type in one form.
//
//   JSON      {"type":"MODIFIED","object":{"kind":"Pod","apiVersion":"v1",  rest  }\n
//             └ made once per form ─────────────────────────────────────┘
//   protobuf  len 0a MODIFIED 12 len 0a len k8s\0 {type} 12 len  message  1a 00 22 00
//             └ made per event, about 50 bytes ───────────────┘
//
// As PartialObjectMetadata the object's metadata takes the place of the rest (api-semantics 2.8,
// 5.4). Immutable; one per form and replica.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cache/batch.h"
#include "cache/gather.h"
#include "cache/snapshot.h"
#include "cache/transition.h"
#include "protocol/k8s/api_error.h"

namespace weir {

class Framing {
 public:
  Framing(std::shared_ptr<const TypeForm> form, bool metadata_only);

  const std::shared_ptr<const TypeForm>& type_form() const { return form_; }
  bool metadata_only() const { return metadata_only_; }

  // ---- WATCH. Sizes may be some bytes off where a revision is spliced in.
  void AddEvent(Transition transition, const LogEvent& event, Gather& gather) const;
  void AddInitial(const Object& object, Gather& gather) const;
  size_t EventBytes(Transition transition, const LogEvent& event) const;
  size_t InitialBytes(const Object& object) const {
    return FrameBytes(Transition::kEnters, object);
  }
  std::string Bookmark(Revision revision, bool initial_events_end) const;
  static std::string Error(Encoding encoding, const ApiError& error);

  // ---- GET
  void AddObject(const Object& object, Gather& gather) const;

  // ---- LIST
  struct ListMeta {
    Revision revision;
    std::string_view continue_token;
    uint64_t remaining = 0;  // 0: not said.
  };
  // `items_bytes`: of all items, without commas; only protobuf needs it.
  std::string ListHead(const ListMeta& meta, uint64_t items_bytes) const;
  // `empty`: of a list without items.
  std::string ListTail(const ListMeta& meta, bool empty) const;
  void AddItem(const Object& object, bool first, Gather& gather) const;
  uint64_t ItemBytes(const Object& object) const;
  // Of a range of the tree, without commas.
  uint64_t ItemBytes(const ObjectTree::Sums& sums) const;
  // What the first item brings besides: see null_if_empty_.
  size_t opener_bytes() const { return null_if_empty_ ? 1 : 0; }
  // Between two items.
  size_t separator_bytes() const { return protobuf_ ? 0 : 1; }
  // Whether the head has to know the size of all items.
  bool needs_sizes() const { return protobuf_; }

 private:
  std::string_view HeadOf(Transition transition) const;
  std::string_view TypeName(Transition transition) const;
  // What of the object is sent.
  std::string_view Body(const Object& object) const {
    return metadata_only_ ? object.metadata() : object.rest();
  }
  size_t FrameBytes(Transition transition, const Object& object) const;
  void AddFrame(Transition transition, std::string_view body, Gather& gather) const;
  void AddLeaving(const LogEvent& event, Gather& gather) const;

  const std::shared_ptr<const TypeForm> form_;
  const bool metadata_only_;
  const bool protobuf_;
  std::string kind_, api_version_, list_kind_, list_api_version_;
  bool sorted_keys_;  // As custom resources are written.
  // Metadata alone comes as `"items":null` where there is none, so that the bracket waits for the
  // first item.
  bool null_if_empty_;
  // JSON: frames up to the object's bytes, and what closes them.
  std::string added_, modified_, deleted_, frame_tail_;
  std::string object_head_, object_tail_;
  std::string first_item_, next_item_, item_tail_;
  std::string type_meta_;  // Protobuf: of an object's envelope.
};

}  // namespace weir
