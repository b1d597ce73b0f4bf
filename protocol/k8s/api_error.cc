#include "protocol/k8s/api_error.h"

#include <utility>

#include "fmt/format.h"
#include "protocol/base/json_text.h"

namespace weir {
namespace {

constexpr std::string_view kContinueExpiredShort =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter";
constexpr std::string_view kContinueExpiredRest =
    ", or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were "
    "created, modified, or deleted between the time the first chunk was returned and now may show "
    "up in the list.";

// One JSON object whose empty members are left out, as Go's omitempty does.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
  void End() { out_ += '}'; }

  void Key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    AppendJsonString(name, out_);
    out_ += ':';
  }
  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Key(name);
    AppendJsonString(value, out_);
  }
  void Number(std::string_view name, int value) {
    if (value == 0) return;
    Key(name);
    out_ += std::to_string(value);
  }

 private:
  std::string& out_;
  bool first_ = true;
};

void AppendCauses(const std::vector<ApiError::Cause>& causes, std::string& out) {
  out += '[';
  for (const ApiError::Cause& cause : causes) {
    if (&cause != &causes.front()) out += ',';
    ObjectWriter object(out);
    object.Text("reason", cause.reason);
    object.Text("message", cause.message);
    object.Text("field", cause.field);
    object.End();
  }
  out += ']';
}

void AppendDetails(const ApiError::Details& details, std::string& out) {
  ObjectWriter object(out);
  object.Text("name", details.name);
  object.Text("group", details.group);
  object.Text("kind", details.kind);
  if (!details.causes.empty()) {
    object.Key("causes");
    AppendCauses(details.causes, out);
  }
  object.Number("retryAfterSeconds", details.retry_after_seconds);
  object.End();
}

ApiError Plain(int code, std::string_view reason, std::string message) {
  ApiError error;
  error.code = code;
  error.reason = reason;
  error.message = std::move(message);
  return error;
}

ApiError OfObject(int code, std::string_view reason, const ResourceId& id, std::string_view name,
                  std::string message) {
  ApiError error = Plain(code, reason, std::move(message));
  error.has_details = true;
  error.details.name = name;
  error.details.group = id.group;
  error.details.kind = id.resource;
  return error;
}

ApiError Retryable(int code, std::string_view reason, std::string message, int after_seconds) {
  ApiError error = Plain(code, reason, std::move(message));
  error.has_details = true;
  error.details.retry_after_seconds = after_seconds;
  return error;
}

}  // namespace

std::string ApiError::ToJson() const {
  std::string out;
  ObjectWriter object(out);
  if (!without_type) {
    object.Text("kind", "Status");
    object.Text("apiVersion", "v1");
  }
  object.Key("metadata");
  ObjectWriter metadata(out);
  metadata.Text("continue", continue_token);
  metadata.End();
  object.Text("status", "Failure");
  object.Text("message", message);
  object.Text("reason", reason);
  if (has_details) {
    object.Key("details");
    AppendDetails(details, out);
  }
  object.Number("code", code);
  object.End();
  return out;
}

ApiError ApiError::Unauthorized() { return Plain(401, "Unauthorized", "Unauthorized"); }

ApiError ApiError::Forbidden(const ResourceId& id, std::string_view name, std::string message) {
  return OfObject(403, "Forbidden", id, name, std::move(message));
}

ApiError ApiError::NotFound(const ResourceId& id, std::string_view name) {
  return OfObject(404, "NotFound", id, name,
                  fmt::format("{} \"{}\" not found", id.GroupResource(), name));
}

ApiError ApiError::TooLargeResourceVersion(uint64_t wanted, uint64_t current) {
  ApiError error = Retryable(
      504, "Timeout",
      fmt::format("Timeout: Too large resource version: {}, current: {}", wanted, current), 1);
  // Clients look for this cause and list again without a revision.
  error.details.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
  return error;
}

ApiError ApiError::WatchExpired(uint64_t wanted, uint64_t oldest) {
  return Plain(410, "Expired", fmt::format("too old resource version: {} ({})", wanted, oldest));
}

ApiError ApiError::ListExpired() {
  return Plain(410, "Expired", "The resourceVersion for the provided list is too old.");
}

ApiError ApiError::ContinueExpired(std::string fresh_token) {
  std::string text(kContinueExpiredShort);
  text += fresh_token.empty() ? std::string_view(".") : kContinueExpiredRest;
  ApiError error = Plain(410, "Expired", std::move(text));
  error.continue_token = std::move(fresh_token);
  return error;
}

ApiError ApiError::TooManyRequests(std::string message, int retry_after_seconds) {
  return Retryable(429, "TooManyRequests", std::move(message), retry_after_seconds);
}

ApiError ApiError::ServiceUnavailable(std::string message, int retry_after_seconds) {
  return Retryable(503, "ServiceUnavailable", std::move(message), retry_after_seconds);
}

ApiError ApiError::NotImplemented(std::string message) {
  return Plain(501, "NotImplemented", std::move(message));
}

ApiError ApiError::Timeout() {
  ApiError error =
      Plain(504, "Timeout", "Timeout: request did not complete within the allotted timeout");
  error.has_details = true;
  error.without_type = true;
  return error;
}

// Kubernetes has no reason of that name, and clients treat an absent one as unknown.
ApiError ApiError::BadGateway(std::string message) { return Plain(502, "", std::move(message)); }

}  // namespace weir
