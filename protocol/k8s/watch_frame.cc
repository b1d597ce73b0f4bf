#include "protocol/k8s/watch_frame.h"

#include <optional>
#include <utility>

#include "fmt/format.h"
#include "protocol/base/json_walk.h"
#include "protocol/k8s/proto_watch_frame.h"
#include "simdjson.h"

namespace weir {
namespace {

// Without the line itself: messages are logged, objects are not.
Status NoEvent() { return InvalidArgument("watch: a line that is no event"); }

// `{"type":"ADDED","object":{…}}`; other members are skipped, as is the order.
StatusOr<WatchFrame> ParseLine(std::string_view line) {
  std::string_view type_name, object;
  JsonWalk walk(line);
  if (!walk.EnterObject()) return NoEvent();
  for (std::string_view key; walk.NextKey(key);) {
    if (key == "type") {
      type_name = walk.PlainString();
    } else if (key == "object") {
      object = walk.Skip();
    } else {
      walk.Skip();
    }
  }
  const auto type = FrameTypeOf(type_name);
  if (walk.failed() || !walk.at_end() || !type || !object.starts_with('{')) return NoEvent();
  return WatchFrame{.type = *type, .object = object, .kind = {}, .api_version = {}};
}

// What upstream writes, recognised without a walk through the object (the metadata scan makes one).
std::optional<WatchFrame> ParseUsualLine(std::string_view line) {
  constexpr std::string_view kType = R"({"type":")";
  constexpr std::string_view kObject = R"(","object":)";
  if (!line.starts_with(kType)) return std::nullopt;
  line.remove_prefix(kType.size());
  const size_t name_end = line.find('"');
  if (name_end == std::string_view::npos) return std::nullopt;
  const auto type = FrameTypeOf(line.substr(0, name_end));
  line.remove_prefix(name_end);
  if (!type || !line.starts_with(kObject)) return std::nullopt;
  line.remove_prefix(kObject.size());
  if (!line.starts_with('{') || !line.ends_with("}}")) return std::nullopt;
  return WatchFrame{
      .type = *type, .object = line.substr(0, line.size() - 1), .kind = {}, .api_version = {}};
}

}  // namespace

std::optional<FrameType> FrameTypeOf(std::string_view name) {
  constexpr std::pair<std::string_view, FrameType> kTypes[] = {
      {"ADDED", FrameType::kAdded},     {"MODIFIED", FrameType::kModified},
      {"DELETED", FrameType::kDeleted}, {"BOOKMARK", FrameType::kBookmark},
      {"ERROR", FrameType::kError},
  };
  for (const auto& [text, type] : kTypes) {
    if (text == name) return type;
  }
  return std::nullopt;
}

std::unique_ptr<WatchFrameReader> MakeWatchFrameReader(Encoding encoding, size_t max_frame_bytes) {
  if (IsProtobuf(encoding)) return std::make_unique<ProtobufWatchFrameReader>(max_frame_bytes);
  return std::make_unique<JsonWatchFrameReader>(max_frame_bytes);
}

// Empty: no whole line yet.
StatusOr<std::string_view> JsonWatchFrameReader::NextLine() {
  while (true) {
    const std::string_view unread = buffer_.unread();
    const size_t newline = unread.find('\n', searched_);
    if (newline == std::string_view::npos) {
      searched_ = unread.size();
      if (unread.size() > max_frame_bytes_) break;
      return std::string_view();
    }
    std::string_view line = unread.substr(0, newline);
    if (line.size() > max_frame_bytes_) break;
    buffer_.Consume(newline + 1);
    searched_ = 0;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) return line;
  }
  return ResourceExhausted(fmt::format("watch: a frame above {} bytes", max_frame_bytes_));
}

StatusOr<bool> JsonWatchFrameReader::Next(WatchFrame& frame) {
  WEIR_ASSIGN_OR_RETURN(const std::string_view line, NextLine());
  if (line.empty()) return false;
  if (const auto usual = ParseUsualLine(line)) {
    frame = *usual;
    return true;
  }
  WEIR_ASSIGN_OR_RETURN(frame, ParseLine(line));
  return true;
}

std::string BookmarkFrame(std::string_view kind, std::string_view api_version, bool sorted_keys,
                          Revision revision, bool initial_events_end) {
  constexpr std::string_view kEndMark = R"("annotations":{"k8s.io/initial-events-end":"true"})";
  std::string frame = R"({"type":"BOOKMARK","object":{)";
  const std::string number = fmt::format(R"("resourceVersion":"{}")", revision.value);
  if (sorted_keys) {
    fmt::format_to(std::back_inserter(frame), R"("apiVersion":"{}","kind":"{}","metadata":{{)",
                   api_version, kind);
    if (initial_events_end) frame.append(kEndMark).append(",");
    frame.append(number);
  } else {
    fmt::format_to(std::back_inserter(frame), R"("kind":"{}","apiVersion":"{}","metadata":{{)",
                   kind, api_version);
    frame.append(number);
    if (initial_events_end) frame.append(",").append(kEndMark);
  }
  frame.append("}}").append(kEventSuffix);
  return frame;
}

std::string ErrorFrame(const ApiError& error) {
  std::string frame = R"({"type":"ERROR","object":)";
  frame.append(error.ToJson()).append(kEventSuffix);
  return frame;
}

StatusSummary ReadStatus(std::string_view json) {
  StatusSummary summary;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  std::string_view kind;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return summary;
  if (object["kind"].get(kind) != simdjson::SUCCESS || kind != "Status") return summary;
  int64_t code = 0;
  std::string_view reason, message;
  // Each is left out where it is empty.
  if (object["code"].get(code) != simdjson::SUCCESS || !std::in_range<int>(code)) code = 0;
  if (object["reason"].get(reason) != simdjson::SUCCESS) reason = {};
  if (object["message"].get(message) != simdjson::SUCCESS) message = {};
  return {.code = static_cast<int>(code),
          .reason = std::string(reason),
          .message = std::string(message)};
}

}  // namespace weir
