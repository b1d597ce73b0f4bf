// Cuts a LIST body in protobuf into items while it arrives.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/k8s/list_reader.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {

// An envelope around a message whose field 1 is ListMeta and whose field 2, repeated, is an item
// (api-semantics 5.4); other fields are skipped. The envelope's type comes before the message and
// its kind ends in "List", so that a Status is not taken for a list.
class ProtobufListReader final : public ListReader {
 public:
  explicit ProtobufListReader(OnItem on_item, size_t max_item_bytes = kMaxItemBytes);

  Status Feed(std::string_view bytes) override;
  StatusOr<ListSummary> Finish() override;

 private:
  // What the next byte is part of. kTag, kLength and kValue loop over the fields, first of the
  // envelope, and while in_list_ of the list inside it.
  enum class State : uint8_t { kMagic, kTag, kLength, kValue };
  // What becomes of a field's value.
  enum class Target : uint8_t { kSkip, kTypeMeta, kList, kContentEncoding, kListMeta, kItem };

  // Each takes bytes from the front of `bytes`, at least one, and sets the next state.
  Status Step(std::string_view& bytes);
  Status TakeMagic(std::string_view& bytes);
  Status TakeTag(std::string_view& bytes);
  Status TakeLength(std::string_view& bytes);
  Status TakeValue(std::string_view& bytes);

  // The next varint into `value`; false: the rest of it has yet to come.
  StatusOr<bool> TakeVarint(std::string_view& bytes, uint64_t& value);
  void Consume(std::string_view& bytes, size_t count);
  Status ChooseTarget(uint32_t number);
  Status BeginList(uint64_t length);
  Status BeginValue(uint64_t length);
  Status EndValue(std::string_view value);
  void EndField();

  OnItem on_item_;
  const size_t max_item_bytes_;
  State state_ = State::kMagic;
  size_t magic_ = 0;  // Its bytes that have come.
  std::array<char, kMaxVarintBytes> varint_;
  size_t varint_size_ = 0;
  bool in_list_ = false;
  uint64_t list_left_ = 0;  // Bytes of the list that have yet to come.

  WireType type_ = WireType::kVarint;
  Target target_ = Target::kSkip;
  uint64_t value_left_ = 0;
  std::string value_;  // As far as it has come, unless it is skipped or given in place; with
                       // capacity for the padding.

  ListSummary summary_;
  bool list_seen_ = false;
  bool list_meta_seen_ = false;
  Status failure_;  // What Feed() returned; it goes on returning it.
};

}  // namespace weir
