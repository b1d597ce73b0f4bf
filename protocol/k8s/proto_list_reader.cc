#include "protocol/k8s/proto_list_reader.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_frame.h"

namespace weir {
namespace {

constexpr size_t kKeptCapacity = size_t{1} << 20;
// Of the envelope's type and of ListMeta, whose continue token is the longest part.
constexpr size_t kMaxMetaBytes = size_t{64} << 10;

Status NoList(std::string_view what) { return InvalidArgument(fmt::format("list: {}", what)); }

// Two strings of a message, by their numbers; the others are skipped.
Status ReadStrings(std::string_view message, uint32_t a, std::string& first, uint32_t b,
                   std::string& second) {
  ProtoReader reader(message);
  for (ProtoField field; reader.Next(field);) {
    if (field.type != WireType::kBytes) continue;
    if (field.number == a) first = field.bytes;
    if (field.number == b) second = field.bytes;
  }
  return reader.failed() ? NoList("malformed metadata") : OkStatus();
}

}  // namespace

ProtobufListReader::ProtobufListReader(OnItem on_item, size_t max_item_bytes)
    : on_item_(std::move(on_item)), max_item_bytes_(max_item_bytes) {}

Status ProtobufListReader::Feed(std::string_view bytes) {
  while (failure_.ok() && !bytes.empty()) failure_ = Step(bytes);
  return failure_;
}

Status ProtobufListReader::Step(std::string_view& bytes) {
  switch (state_) {
    case State::kMagic:
      return TakeMagic(bytes);
    case State::kTag:
      return TakeTag(bytes);
    case State::kLength:
      return TakeLength(bytes);
    case State::kValue:
      break;
  }
  return TakeValue(bytes);
}

void ProtobufListReader::Consume(std::string_view& bytes, size_t count) {
  bytes.remove_prefix(count);
  if (in_list_) list_left_ -= count;
}

Status ProtobufListReader::TakeMagic(std::string_view& bytes) {
  if (bytes.front() != kProtoMagic[magic_]) return NoList("no protobuf envelope");
  Consume(bytes, 1);
  if (++magic_ == kProtoMagic.size()) state_ = State::kTag;
  return OkStatus();
}

StatusOr<bool> ProtobufListReader::TakeVarint(std::string_view& bytes, uint64_t& value) {
  while (!bytes.empty()) {
    if (in_list_ && list_left_ == 0) return NoList("a field behind the end of its message");
    if (varint_size_ == varint_.size()) return NoList("malformed protobuf");
    const char byte = bytes.front();
    Consume(bytes, 1);
    varint_[varint_size_++] = byte;
    if (static_cast<uint8_t>(byte) >= 0x80) continue;
    const char* const end = varint_.data() + std::exchange(varint_size_, 0);
    if (ReadVarint(varint_.data(), end, value) != end) return NoList("malformed protobuf");
    return true;
  }
  return false;
}

Status ProtobufListReader::TakeTag(std::string_view& bytes) {
  uint64_t tag = 0;
  WEIR_ASSIGN_OR_RETURN(const bool whole, TakeVarint(bytes, tag));
  if (!whole) return OkStatus();
  if (tag >> 3 == 0 || tag >> 3 > kMaxFieldNumber) return NoList("malformed protobuf");
  type_ = static_cast<WireType>(tag & 7);
  WEIR_TRY(ChooseTarget(static_cast<uint32_t>(tag >> 3)));
  switch (type_) {
    case WireType::kVarint:
    case WireType::kBytes:
      state_ = State::kLength;
      return OkStatus();
    case WireType::kFixed64:
      return BeginValue(8);
    case WireType::kFixed32:
      return BeginValue(4);
  }
  return NoList("malformed protobuf");
}

Status ProtobufListReader::ChooseTarget(uint32_t number) {
  target_ = Target::kSkip;
  if (in_list_) {
    if (number == 1) target_ = Target::kListMeta;
    if (number == 2) target_ = Target::kItem;
  } else {
    if (number == 1) target_ = Target::kTypeMeta;
    if (number == 2) target_ = Target::kList;
    if (number == 3) target_ = Target::kContentEncoding;
  }
  if (target_ != Target::kSkip && type_ != WireType::kBytes) return NoList("malformed protobuf");
  const bool misplaced = target_ == Target::kListMeta   ? std::exchange(list_meta_seen_, true)
                         : target_ == Target::kList     ? std::exchange(list_seen_, true)
                         : target_ == Target::kTypeMeta ? list_seen_
                                                        : false;
  return misplaced ? NoList("a part of it twice, or its type last") : OkStatus();
}

Status ProtobufListReader::TakeLength(std::string_view& bytes) {
  uint64_t length = 0;
  WEIR_ASSIGN_OR_RETURN(const bool whole, TakeVarint(bytes, length));
  if (!whole) return OkStatus();
  if (type_ == WireType::kBytes) return BeginValue(length);
  EndField();  // It was the value of a varint.
  return OkStatus();
}

Status ProtobufListReader::BeginList(uint64_t length) {
  if (!std::string_view(summary_.kind).ends_with("List") || summary_.api_version.empty()) {
    return NoList("no kind of list, or no apiVersion");
  }
  in_list_ = true;
  list_left_ = length;
  EndField();
  return OkStatus();
}

Status ProtobufListReader::BeginValue(uint64_t length) {
  if (in_list_ && length > list_left_) return NoList("a field behind the end of its message");
  switch (target_) {
    case Target::kList:
      return BeginList(length);
    case Target::kContentEncoding:
      if (length > 0) return NoList("an encoded message");
      break;
    case Target::kTypeMeta:
    case Target::kListMeta:
      if (length > kMaxMetaBytes) return NoList("metadata too long");
      break;
    case Target::kItem:
      if (length <= max_item_bytes_) break;
      return ResourceExhausted(fmt::format("list: an item above {} bytes", max_item_bytes_));
    case Target::kSkip:
      break;
  }
  value_.clear();
  if (value_.capacity() > kKeptCapacity) value_ = {};
  value_left_ = length;
  state_ = State::kValue;
  if (length > 0) return OkStatus();
  value_.reserve(MetadataScanner::kPadding);
  return EndValue(value_);
}

Status ProtobufListReader::TakeValue(std::string_view& bytes) {
  const std::string_view taken = bytes.substr(0, std::min<uint64_t>(bytes.size(), value_left_));
  const bool in_place = value_.empty() && taken.size() == value_left_ &&
                        bytes.size() - taken.size() >= MetadataScanner::kPadding;
  if (!in_place && target_ != Target::kSkip) {
    if (value_.empty()) value_.reserve(value_left_ + MetadataScanner::kPadding);
    value_.append(taken);
  }
  Consume(bytes, taken.size());
  value_left_ -= taken.size();
  if (value_left_ > 0) return OkStatus();
  return EndValue(in_place ? taken : value_);
}

Status ProtobufListReader::EndValue(std::string_view value) {
  EndField();
  switch (target_) {
    case Target::kTypeMeta:
      return ReadStrings(value, 1, summary_.api_version, 2, summary_.kind);
    case Target::kListMeta:
      return ReadStrings(value, 2, summary_.resource_version, 3, summary_.continue_token);
    case Target::kItem:
      return on_item_(value);
    case Target::kSkip:
    case Target::kList:
    case Target::kContentEncoding:
      break;
  }
  return OkStatus();
}

void ProtobufListReader::EndField() {
  state_ = State::kTag;
  if (list_left_ == 0) in_list_ = false;
}

StatusOr<ListSummary> ProtobufListReader::Finish() {
  WEIR_TRY(failure_);
  const bool between_fields = state_ == State::kTag && varint_size_ == 0 && !in_list_;
  if (!between_fields || !list_seen_) return NoList("it ends early");
  return summary_;
}

}  // namespace weir
