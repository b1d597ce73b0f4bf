#include "bench/fleet/event_lines.h"

#include <charconv>
#include <utility>

namespace weir::fleet {

namespace {

constexpr std::string_view kTypeKey = R"({"type":")";
constexpr std::string_view kRevisionKey = R"("resourceVersion":")";

std::optional<FrameType> TypeOf(std::string_view line) {
  if (!line.starts_with(kTypeKey)) return std::nullopt;
  const std::string_view rest = line.substr(kTypeKey.size());
  static constexpr std::pair<std::string_view, FrameType> kTypes[] = {
      {"MODIFIED\"", FrameType::kModified}, {"ADDED\"", FrameType::kAdded},
      {"DELETED\"", FrameType::kDeleted},   {"BOOKMARK\"", FrameType::kBookmark},
      {"ERROR\"", FrameType::kError},
  };
  for (const auto& [name, type] : kTypes) {
    if (rest.starts_with(name)) return type;
  }
  return std::nullopt;
}

Status Parse(std::string_view line, EventLine& event) {
  event.line = line;
  event.revision = Revision{0};
  const std::optional<FrameType> type = TypeOf(line);
  if (!type.has_value() || !line.ends_with("}}")) return InvalidArgument("not a watch event");
  event.type = *type;
  if (event.type == FrameType::kError) return OkStatus();
  const std::optional<Revision> revision = FirstRevision(line);
  if (!revision.has_value()) return InvalidArgument("a watch event without a revision");
  event.revision = *revision;
  return OkStatus();
}

}  // namespace

std::optional<Revision> FirstRevision(std::string_view json) {
  const size_t key = json.find(kRevisionKey);
  if (key == std::string_view::npos) return std::nullopt;
  const std::string_view digits = json.substr(key + kRevisionKey.size());
  Revision revision;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), revision.value);
  if (error != std::errc() || end == digits.data() + digits.size() || *end != '"')
    return std::nullopt;
  return revision;
}

StatusOr<bool> EventLines::Next(EventLine& event) {
  if (std::exchange(whole_, false)) begun_.clear();
  for (;;) {
    const size_t end = fed_.find('\n');
    if (end == std::string_view::npos) {
      if (begun_.size() + fed_.size() > kMaxLine)
        return ResourceExhausted("an event of more than 16 MiB");
      begun_.append(fed_);
      fed_ = {};
      if (begun_.empty()) std::string().swap(begun_);  // An idle watch holds no buffer.
      return false;
    }
    std::string_view line = fed_.substr(0, end);
    fed_.remove_prefix(end + 1);
    if (!begun_.empty()) {
      begun_.append(line);
      line = begun_;
      whole_ = true;
    }
    if (line.empty()) continue;
    WEIR_TRY(Parse(line, event));
    return true;
  }
}

}  // namespace weir::fleet
