// Decoding and validation of list options, in upstream's order and with its texts
// (api-semantics 1.7 to 1.10).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "bench/sim/request.h"

namespace weir::sim {
namespace {

struct Failure {
  std::string reason, text, field;
};

std::variant<int64_t, ApiError> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const char* begin = text.starts_with('+') ? text.data() + 1 : text.data();
  const auto [stop, error] = std::from_chars(begin, end, value);
  if (error == std::errc::result_out_of_range && stop == end) {
    return BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": value out of range", text));
  }
  if (error != std::errc() || stop != end || text.starts_with("+-")) {
    return BadRequest(fmt::format("strconv.ParseInt: parsing \"{}\": invalid syntax", text));
  }
  return value;
}

std::optional<ApiError> Decode(const Query& query, ListOptions& options) {
  for (const auto name : {"timeoutSeconds", "limit"}) {
    const auto text = query.First(name);
    if (!text) continue;
    auto number = ParseInteger(*text);
    if (auto* error = std::get_if<ApiError>(&number)) return std::move(*error);
    if (std::string_view(name) == "limit") {
      options.limit = std::get<int64_t>(number);
    } else {
      options.timeout_seconds = std::get<int64_t>(number);
    }
  }
  auto labels = LabelSelector::Parse(query.Text("labelSelector"));
  if (!labels.ok()) return BadRequest(std::string(Message(labels.status())));
  auto fields = FieldSelector::Parse(query.Text("fieldSelector"));
  if (!fields.ok()) return BadRequest(std::string(Message(fields.status())));
  options.labels = *std::move(labels);
  options.fields = *std::move(fields);
  options.resource_version = query.Text("resourceVersion");
  options.bookmarks = query.IsTrue("allowWatchBookmarks");
  if (query.First("sendInitialEvents")) options.initial_events = query.IsTrue("sendInitialEvents");
  return {};
}

Failure Forbidden(std::string text, std::string field = "resourceVersionMatch") {
  return {"FieldValueForbidden", "Forbidden: " + std::move(text), std::move(field)};
}

std::vector<Failure> ValidateList(const ListOptions& options, std::string_view match, bool paged) {
  std::vector<Failure> failures;
  if (!match.empty()) {
    if (options.resource_version.empty()) {
      failures.push_back(
          Forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"));
    }
    if (paged) {
      failures.push_back(Forbidden("resourceVersionMatch is forbidden when continue is provided"));
    }
    if (match != "Exact" && match != "NotOlderThan") {
      failures.push_back({"FieldValueNotSupported",
                          fmt::format("Unsupported value: \"{}\": supported values: \"Exact\", "
                                      "\"NotOlderThan\", \"\"",
                                      match),
                          "resourceVersionMatch"});
    }
    if (match == "Exact" && options.resource_version == "0") {
      failures.push_back(
          Forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
    }
  }
  if (options.initial_events) {
    failures.push_back(Forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"));
  }
  return failures;
}

std::vector<Failure> ValidateWatch(const ListOptions& options, std::string_view match, bool paged) {
  std::vector<Failure> failures;
  if (options.initial_events && match != "NotOlderThan") {
    failures.push_back(
        Forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
  }
  if (match.empty()) return failures;
  if (!options.initial_events) {
    failures.push_back(Forbidden(
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
  }
  if (match != "NotOlderThan") {
    failures.push_back(
        {"FieldValueNotSupported",
         fmt::format("Unsupported value: \"{}\": supported values: \"NotOlderThan\"", match),
         "resourceVersionMatch"});
  }
  if (paged) {
    failures.push_back(Forbidden("resourceVersionMatch is forbidden when continue is provided"));
  }
  return failures;
}

ApiError Invalid(const std::vector<Failure>& failures) {
  ApiError error;
  error.code = 422;
  error.reason = "Invalid";
  error.has_details = true;
  error.details.group = "meta.k8s.io";
  error.details.kind = "ListOptions";
  std::vector<std::string> texts;
  for (const Failure& failure : failures) {
    error.details.causes.push_back({failure.reason, failure.text, failure.field});
    std::string text = failure.field + ": " + failure.text;
    if (std::find(texts.begin(), texts.end(), text) == texts.end())
      texts.push_back(std::move(text));
  }
  error.message = texts.size() == 1 ? texts[0] : fmt::format("[{}]", fmt::join(texts, ", "));
  error.message = "ListOptions.meta.k8s.io \"\" is invalid: " + error.message;
  return error;
}

// ParseUint's complaint about a revision; empty when it is one.
std::string RevisionError(std::string_view text, uint64_t& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end) return {};
  const bool range = error == std::errc::result_out_of_range && stop == end;
  return fmt::format(
      "resourceVersion: Invalid value: \"{}\": strconv.ParseUint: parsing \"{}\": {}", text, text,
      range ? "value out of range" : "invalid syntax");
}

std::optional<ApiError> DecodeRevision(ListOptions& options) {
  if (options.resource_version.empty()) return {};
  uint64_t value = 0;
  std::string error = RevisionError(options.resource_version, value);
  if (error.empty()) {
    options.revision = Revision{value};
    return {};
  }
  if (!options.watch) return BadRequest("invalid resource version: " + error);
  ApiError odd;  // A watch answers 500 without a reason.
  odd.code = 500;
  odd.message = std::move(error);
  return odd;
}

std::optional<ApiError> DecodeToken(std::string_view text, ListOptions& options) {
  if (text.empty() || options.watch) return {};
  if (!options.resource_version.empty() && options.resource_version != "0") {
    return BadRequest("specifying resource version is not allowed when using continue");
  }
  auto token = ContinueToken::Decode(text);
  if (!token.ok())
    return BadRequest(fmt::format("invalid continue token: {}", Message(token.status())));
  options.token = *std::move(token);
  return {};
}

}  // namespace

std::variant<ListOptions, ApiError> ParseListOptions(const Query& query, bool watch) {
  ListOptions options;
  options.watch = watch;
  if (auto error = Decode(query, options)) return *std::move(error);
  std::string match(query.Text("resourceVersionMatch"));
  const std::string_view token = query.Text("continue");
  const bool from_now = options.resource_version.empty() || options.resource_version == "0";
  if (query.IsTrue("watch") && !options.initial_events && match.empty() && from_now) {
    options.initial_events = true;
    match = "NotOlderThan";
  }
  const auto failures = watch ? ValidateWatch(options, match, !token.empty())
                              : ValidateList(options, match, !token.empty());
  if (!failures.empty()) return Invalid(failures);
  if (match == "Exact") options.match = ListOptions::Match::kExact;
  if (match == "NotOlderThan") options.match = ListOptions::Match::kNotOlderThan;
  if (auto error = DecodeToken(token, options)) return *std::move(error);
  if (auto error = DecodeRevision(options)) return *std::move(error);
  return options;
}

}  // namespace weir::sim
