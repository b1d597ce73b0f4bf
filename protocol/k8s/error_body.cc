#include "protocol/k8s/error_body.h"

#include <cstddef>

#include "protocol/base/json_indent.h"
#include "protocol/base/yaml_text.h"
#include "protocol/k8s/form.h"
#include "protocol/k8s/proto_frame.h"

namespace weir {
namespace {

// A block mapping, whose keys the caller brings in order; empty values are left out.
class YamlMapping {
 public:
  YamlMapping(size_t indent, std::string& out) : indent_(indent), out_(out) {}

  // The mapping is an item of a sequence: a dash stands in front of its first key.
  void BeginItem() { item_ = true; }
  // Begins a line up to the colon.
  void Key(std::string_view name) {
    out_.append(item_ ? indent_ - 2 : indent_, ' ').append(item_ ? "- " : "");
    out_.append(name).append(":");
    item_ = false;
  }
  void Text(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    Key(name);
    AppendYamlString(value, indent_ + 2, out_);
  }
  void Number(std::string_view name, int value) {
    if (value == 0) return;
    Key(name);
    out_.append(" ").append(std::to_string(value)).append("\n");
  }
  // What is nested in the last key follows on lines of its own, if anything does.
  void BeginNested(bool is_empty) { out_.append(is_empty ? " {}\n" : "\n"); }

 private:
  const size_t indent_;
  std::string& out_;
  bool item_ = false;
};

void AppendDetails(const ApiError::Details& details, std::string& out) {
  YamlMapping mapping(2, out);
  if (!details.causes.empty()) {
    mapping.Key("causes");
    mapping.BeginNested(false);
  }
  for (const ApiError::Cause& cause : details.causes) {
    YamlMapping item(4, out);
    item.BeginItem();
    item.Text("field", cause.field);
    item.Text("message", cause.message);
    item.Text("reason", cause.reason);
  }
  mapping.Text("group", details.group);
  mapping.Text("kind", details.kind);
  mapping.Text("name", details.name);
  mapping.Number("retryAfterSeconds", details.retry_after_seconds);
}

bool IsEmpty(const ApiError::Details& details) {
  return details.name.empty() && details.group.empty() && details.kind.empty() &&
         details.causes.empty() && details.retry_after_seconds == 0;
}

std::string ToYaml(const ApiError& error) {
  std::string out;
  YamlMapping mapping(0, out);
  mapping.Text("apiVersion", "v1");
  mapping.Number("code", error.code);
  if (error.has_details) {
    mapping.Key("details");
    mapping.BeginNested(IsEmpty(error.details));
    AppendDetails(error.details, out);
  }
  mapping.Text("kind", "Status");
  mapping.Text("message", error.message);
  mapping.Key("metadata");
  mapping.BeginNested(error.continue_token.empty());
  YamlMapping(2, out).Text("continue", error.continue_token);
  mapping.Text("reason", error.reason);
  mapping.Text("status", "Failure");
  return out;
}

}  // namespace

ErrorBody EncodeError(const ApiError& error, ErrorForm form) {
  // Go finds out the type of what was given none.
  if (error.without_type) return {"text/plain; charset=utf-8", error.ToJson() + "\n"};
  switch (form) {
    case ErrorForm::kJson:
      break;
    case ErrorForm::kIndentedJson:
      return {kJsonType, IndentJson(error.ToJson())};
    case ErrorForm::kYaml:
      return {kYamlType, ToYaml(error)};
    case ErrorForm::kProtobuf:
      return {kProtobufType, ProtoStatus(error)};
  }
  return {kJsonType, error.ToJson() + "\n"};
}

}  // namespace weir
