#include "protocol/k8s/field_selector.h"

#include <algorithm>

#include "fmt/format.h"

namespace weir {
namespace {

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c & 0x80) == 0; });
}

std::vector<std::string_view> SplitTerms(std::string_view text) {
  std::vector<std::string_view> terms;
  size_t begin = 0;
  bool escaped = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (escaped) {
      escaped = false;
    } else if (text[i] == '\\') {
      escaped = true;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  terms.push_back(text.substr(begin));
  return terms;
}

std::optional<std::string> Unescape(std::string_view value) {
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (c == ',' || c == '=') return std::nullopt;
    if (c == '\\') {
      if (++i == value.size()) return std::nullopt;
      c = value[i];
      if (c != '\\' && c != ',' && c != '=') return std::nullopt;
    }
    out += c;
  }
  return out;
}

void AppendEscaped(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '\\' || c == ',' || c == '=') out += '\\';
    out += c;
  }
}

// The field ends at the first operator, even an escaped one: only values have escapes.
std::optional<FieldSelector::Requirement> ParseTerm(std::string_view term) {
  size_t position = term.find('=');
  if (position == std::string_view::npos) return std::nullopt;
  FieldSelector::Requirement requirement;
  size_t value_begin = position + 1;
  if (position > 0 && term[position - 1] == '!') {
    requirement.equal = false;
    --position;
  } else if (value_begin < term.size() && term[value_begin] == '=') {
    ++value_begin;
  }
  auto value = Unescape(term.substr(value_begin));
  if (!value) return std::nullopt;
  requirement.field = term.substr(0, position);
  requirement.value = std::move(*value);
  return requirement;
}

}  // namespace

StatusOr<FieldSelector> FieldSelector::Parse(std::string_view text) {
  // Upstream walks characters, not bytes; no field that is served holds others than ASCII.
  if (!IsAscii(text)) return InvalidArgument("fieldSelector: not ASCII");
  std::vector<std::string_view> terms = SplitTerms(text);
  std::sort(terms.begin(), terms.end());

  FieldSelector selector;
  for (const std::string_view term : terms) {
    if (term.empty()) continue;
    auto requirement = ParseTerm(term);
    if (!requirement) return InvalidArgument(fmt::format("fieldSelector: bad term '{}'", term));
    // As upstream: a lone operator selects everything.
    if (requirement->field.empty() && requirement->value.empty()) continue;
    selector.requirements_.push_back(std::move(*requirement));
  }
  return selector;
}

std::optional<std::string_view> FieldSelector::RequiredValue(std::string_view field) const {
  for (const Requirement& requirement : requirements_) {
    if (requirement.equal && requirement.field == field) return requirement.value;
  }
  return std::nullopt;
}

std::string FieldSelector::Canonical() const {
  std::string out;
  for (const Requirement& requirement : requirements_) {
    if (!out.empty()) out += ',';
    out += requirement.field;
    out += requirement.equal ? "=" : "!=";
    AppendEscaped(requirement.value, out);
  }
  return out;
}

}  // namespace weir
