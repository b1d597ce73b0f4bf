#include "protocol/k8s/list_reader.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"
#include "protocol/k8s/metadata_scan.h"
#include "protocol/k8s/proto_list_reader.h"

namespace weir {
namespace {

constexpr size_t kMaxKeyBytes = 256;
constexpr size_t kKeptCapacity = size_t{1} << 20;

bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

Status NoList(std::string_view what) { return InvalidArgument(fmt::format("list: {}", what)); }

}  // namespace

std::unique_ptr<ListReader> MakeListReader(Encoding encoding, ListReader::OnItem on_item,
                                           size_t max_item_bytes) {
  if (IsProtobuf(encoding)) {
    return std::make_unique<ProtobufListReader>(std::move(on_item), max_item_bytes);
  }
  return std::make_unique<JsonListReader>(std::move(on_item), max_item_bytes);
}

JsonListReader::JsonListReader(OnItem on_item, size_t max_item_bytes)
    : on_item_(std::move(on_item)), max_item_bytes_(max_item_bytes) {}

Status JsonListReader::Feed(std::string_view bytes) {
  while (failure_.ok() && !bytes.empty()) failure_ = Step(bytes);
  return failure_;
}

Status JsonListReader::Step(std::string_view& bytes) {
  if (state_ == State::kInItem) return InItem(bytes);
  if (state_ == State::kInValue) return InValue(bytes);
  if (state_ == State::kInKey) return InKey(bytes);
  const char c = bytes.front();
  if (IsBlank(c)) {
    bytes.remove_prefix(1);
    return OkStatus();
  }
  if (state_ == State::kValue) return BeginValue(bytes);
  if (state_ == State::kItem && c == '{') return BeginItem(bytes);

  bytes.remove_prefix(1);
  switch (state_) {
    case State::kStart:
      if (c != '{') break;
      state_ = State::kKey;
      return OkStatus();
    case State::kKey:
      if (c == '}' && first_) {
        state_ = State::kDone;
        return OkStatus();
      }
      if (c != '"') break;
      key_.clear();
      first_ = false;
      state_ = State::kInKey;
      return OkStatus();
    case State::kColon:
      if (c != ':') break;
      state_ = State::kValue;
      return OkStatus();
    case State::kItem:
      if (c != ']' || !first_) break;
      state_ = State::kAfterValue;
      first_ = false;
      return OkStatus();
    case State::kAfterItem:
      if (c != ',' && c != ']') break;
      state_ = c == ',' ? State::kItem : State::kAfterValue;
      return OkStatus();
    case State::kAfterValue:
      if (c != ',' && c != '}') break;
      state_ = c == ',' ? State::kKey : State::kDone;
      return OkStatus();
    default:
      break;
  }
  return NoList("malformed JSON");
}

Status JsonListReader::InKey(std::string_view& bytes) {
  const size_t quote = bytes.find('"');
  key_.append(bytes.substr(0, quote));
  if (key_.size() > kMaxKeyBytes || key_.find('\\') != std::string::npos) {
    return NoList("a key that no list has");
  }
  bytes.remove_prefix(quote == std::string_view::npos ? bytes.size() : quote + 1);
  if (quote != std::string_view::npos) state_ = State::kColon;
  return OkStatus();
}

Status JsonListReader::BeginValue(std::string_view& bytes) {
  const char c = bytes.front();
  if (key_ == "items" && c == '[') {
    if (std::exchange(items_seen_, true)) return NoList("items twice");
    bytes.remove_prefix(1);
    first_ = true;
    state_ = State::kItem;
    return OkStatus();
  }
  if (c == ',' || c == '}' || c == ']') return NoList("a value is missing");
  // A list without items in a language whose empty list is null.
  if (key_ == "items" && c == 'n') items_seen_ = true;
  wanted_ = key_ == "kind" || key_ == "apiVersion" || key_ == "metadata";
  value_.clear();
  nesting_ = {};
  escaped_ = false;
  state_ = State::kInValue;
  value_kind_ = c == '{' || c == '[' ? ValueKind::kNested
                : c == '"'           ? ValueKind::kString
                                     : ValueKind::kScalar;
  if (value_kind_ != ValueKind::kString) return OkStatus();
  bytes.remove_prefix(1);
  return Collect("\"");
}

Status JsonListReader::InValue(std::string_view& bytes) {
  const size_t end = ValueEnd(bytes);
  if (nesting_.failed()) return NoList("nested too deeply");
  const std::string_view taken = bytes.substr(0, end);
  if (wanted_) WEIR_TRY(Collect(taken));
  bytes.remove_prefix(taken.size());
  return end == JsonNesting::kNotYet ? OkStatus() : EndValue();
}

size_t JsonListReader::ValueEnd(std::string_view bytes) {
  switch (value_kind_) {
    case ValueKind::kNested:
      return nesting_.Feed(bytes);
    case ValueKind::kString:
      return StringEnd(bytes);
    case ValueKind::kScalar:
      break;
  }
  const size_t end = bytes.find_first_of(",}]");
  return end == std::string_view::npos ? JsonNesting::kNotYet : end;
}

size_t JsonListReader::StringEnd(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (escaped_) {
      escaped_ = false;
    } else if (bytes[i] == '\\') {
      escaped_ = true;
    } else if (bytes[i] == '"') {
      return i + 1;
    }
  }
  return JsonNesting::kNotYet;
}

Status JsonListReader::EndValue() {
  state_ = State::kAfterValue;
  if (!wanted_) return OkStatus();
  if (key_ == "metadata") return ReadMetadata();
  JsonWalk walk(value_);
  const std::string_view text = walk.PlainString();
  if (walk.failed() || text.empty()) return NoList("no kind or apiVersion");
  (key_ == "kind" ? summary_.kind : summary_.api_version) = text;
  return OkStatus();
}

Status JsonListReader::ReadMetadata() {
  JsonWalk walk(value_);
  if (!walk.EnterObject()) return NoList("metadata is no object");
  for (std::string_view key; walk.NextKey(key);) {
    if (key == "resourceVersion") {
      summary_.resource_version = walk.PlainString();
    } else if (key == "continue") {
      summary_.continue_token = walk.PlainString();
    } else {
      walk.Skip();
    }
  }
  return walk.failed() ? NoList("malformed metadata") : OkStatus();
}

Status JsonListReader::BeginItem(std::string_view& bytes) {
  nesting_ = {};
  value_.clear();
  if (value_.capacity() > kKeptCapacity) value_ = {};
  first_ = false;
  state_ = State::kInItem;
  return InItem(bytes);
}

Status JsonListReader::InItem(std::string_view& bytes) {
  const size_t end = nesting_.Feed(bytes);
  if (nesting_.failed()) return NoList("nested too deeply");
  const std::string_view taken = bytes.substr(0, end);
  const bool whole = value_.empty() && end != JsonNesting::kNotYet;
  if (whole && bytes.size() - taken.size() >= MetadataScanner::kPadding &&
      taken.size() <= max_item_bytes_) {
    bytes.remove_prefix(taken.size());
    state_ = State::kAfterItem;
    return on_item_(taken);  // In place: what follows it is its padding.
  }
  WEIR_TRY(Collect(taken));
  bytes.remove_prefix(taken.size());
  if (end == JsonNesting::kNotYet) return OkStatus();
  state_ = State::kAfterItem;
  return on_item_(value_);
}

Status JsonListReader::Collect(std::string_view bytes) {
  const size_t size = value_.size() + bytes.size();
  if (size > max_item_bytes_) {
    return ResourceExhausted(fmt::format("list: an item above {} bytes", max_item_bytes_));
  }
  const size_t needed = size + MetadataScanner::kPadding;
  if (needed > value_.capacity()) value_.reserve(std::max(needed, 2 * value_.capacity()));
  value_.append(bytes);
  return OkStatus();
}

StatusOr<ListSummary> JsonListReader::Finish() {
  WEIR_TRY(failure_);
  if (state_ != State::kDone) return NoList("it ends early");
  if (!items_seen_ || summary_.kind.empty() || summary_.api_version.empty()) {
    return NoList("no kind, apiVersion or items");
  }
  return summary_;
}

}  // namespace weir
