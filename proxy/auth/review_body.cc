#include "protocol/base/json_text.h"
#include "proxy/auth/review_answer.h"

namespace weir {
namespace {

// `"key":` and the text, after a comma where something precedes.
void AppendKey(std::string_view key, std::string& out) {
  if (out.back() != '{') out += ',';
  AppendJsonString(key, out);
  out += ':';
}

void AppendText(std::string_view key, std::string_view text, std::string& out) {
  if (text.empty()) return;
  AppendKey(key, out);
  AppendJsonString(text, out);
}

void AppendList(const std::vector<std::string>& items, std::string& out) {
  out += '[';
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(items[i], out);
  }
  out += ']';
}

void AppendRequirement(std::string_view key, std::string_view op,
                       const std::vector<std::string>& values, std::string& out) {
  if (out.back() != '[') out += ',';
  out += '{';
  AppendText("key", key, out);
  AppendText("operator", op, out);
  if (!values.empty()) {
    AppendKey("values", out);
    AppendList(values, out);
  }
  out += '}';
}

// Empty for operators that a review does not know: they are left out, which only makes the question
// broader.
std::string_view OperatorName(LabelSelector::Operator op) {
  switch (op) {
    case LabelSelector::Operator::kIn:
      return "In";
    case LabelSelector::Operator::kNotIn:
      return "NotIn";
    case LabelSelector::Operator::kExists:
      return "Exists";
    case LabelSelector::Operator::kDoesNotExist:
      return "DoesNotExist";
    case LabelSelector::Operator::kGreaterThan:
    case LabelSelector::Operator::kLessThan:
      break;
  }
  return {};
}

// `requirements` is the inside of the list; an empty selector object would be refused with 422.
void AppendSelector(std::string_view key, const std::string& requirements, std::string& out) {
  if (requirements == "[") return;
  AppendKey(key, out);
  out += "{\"requirements\":" + requirements + "]}";
}

void AppendSelectors(const Attributes& attributes, std::string& out) {
  std::string fields = "[";
  for (const FieldSelector::Requirement& r : attributes.field_selector.requirements()) {
    AppendRequirement(r.field, r.equal ? "In" : "NotIn", {r.value}, fields);
  }
  AppendSelector("fieldSelector", fields, out);
  std::string labels = "[";
  for (const LabelSelector::Requirement& r : attributes.label_selector.requirements()) {
    const std::string_view op = OperatorName(r.op);
    if (!op.empty()) AppendRequirement(r.key, op, r.values, labels);
  }
  AppendSelector("labelSelector", labels, out);
}

void AppendUser(const Identity& identity, std::string& out) {
  AppendText("user", identity.name, out);
  AppendText("uid", identity.uid, out);
  if (!identity.groups.empty()) {
    AppendKey("groups", out);
    AppendList(identity.groups, out);
  }
  if (identity.extra.empty()) return;
  AppendKey("extra", out);
  out += '{';
  for (const auto& [key, values] : identity.extra) {
    AppendKey(key, out);
    AppendList(values, out);
  }
  out += '}';
}

}  // namespace

std::string TokenReviewBody(std::string_view token) {
  std::string out = R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{)";
  AppendText("token", token, out);
  return out += "}}";
}

std::string AccessReviewBody(const Identity& identity, const Attributes& attributes) {
  std::string out =
      R"({"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","spec":{"resourceAttributes":{)";
  AppendText("namespace", attributes.namespace_, out);
  AppendText("verb", attributes.verb, out);
  AppendText("group", attributes.resource.group, out);
  AppendText("version", attributes.resource.version, out);
  AppendText("resource", attributes.resource.resource, out);
  AppendText("name", attributes.name, out);
  AppendSelectors(attributes, out);
  out += '}';
  AppendUser(identity, out);
  return out += "}}";
}

}  // namespace weir
