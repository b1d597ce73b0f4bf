// Accept and indentation: AcceptsPlainJson() and WantsPretty() of read_request.h.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/k8s/query.h"
#include "protocol/k8s/read_request.h"

namespace weir {
namespace {

// Upstream sorts up to this many clauses by insertion, and more in an order that is not worth
// imitating.
constexpr size_t kMaxClauses = 12;

struct Clause {
  std::string_view type, subtype;
  int weight = 1000;       // q in thousandths.
  bool is_plain = true;    // No parameter that asks for another form.
  bool is_stream = false;  // stream=watch
};

std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("*+-._").find(c) != std::string_view::npos;
  });
}

// "0", "1", "0.5", "0.125", "1.0": what RFC 9110 allows. Go takes any float.
std::optional<int> ParseWeight(std::string_view text) {
  if (text.empty() || text.size() > 5 || text.front() < '0' || text.front() > '1') {
    return std::nullopt;
  }
  int weight = (text.front() - '0') * 1000;
  if (text.size() == 1) return weight;
  if (text[1] != '.' || text.size() == 2) return std::nullopt;
  int scale = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    weight += (c - '0') * scale;
    scale /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

bool ReadParameter(std::string_view text, Clause& clause, bool& has_weight) {
  const size_t equal = text.find('=');
  if (equal == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, equal);
  const std::string_view value = text.substr(equal + 1);
  if (!IsToken(name) || value.find_first_of("=\" ") != std::string_view::npos) return false;
  if (name == "q") {
    const auto weight = ParseWeight(value);
    if (!weight || std::exchange(has_weight, true)) return false;
    clause.weight = *weight;
  } else if (name == "stream" && value == "watch") {
    clause.is_stream = true;
  } else if (name != "charset") {
    clause.is_plain = false;
  }
  return true;
}

// Nothing: a clause of an unusual shape, whose meaning is upstream's affair.
std::optional<Clause> ParseClause(std::string_view text) {
  const auto parts = Split(Trim(text), ';');
  const auto names = Split(parts.front(), '/');
  if (names.size() != 2 || !IsToken(names[0]) || !IsToken(names[1])) return std::nullopt;
  Clause clause;
  clause.type = names[0];
  clause.subtype = names[1];
  bool has_weight = false;
  for (size_t i = 1; i < parts.size(); ++i) {
    if (!ReadParameter(Trim(parts[i]), clause, has_weight)) return std::nullopt;
  }
  return clause;
}

// Not a strict weak order: with upstream's sort the outcome depends on the order in the header.
bool IsBefore(const Clause& a, const Clause& b) {
  return a.weight > b.weight || (a.type != "*" && b.type == "*") ||
         (a.subtype != "*" && b.subtype == "*");
}

void SortAsUpstream(std::vector<Clause>& clauses) {
  for (size_t i = 1; i < clauses.size(); ++i) {
    for (size_t j = i; j > 0 && IsBefore(clauses[j], clauses[j - 1]); --j) {
      std::swap(clauses[j], clauses[j - 1]);
    }
  }
}

enum class Meaning : uint8_t { kJson, kOther, kUnknownType };

Meaning MeaningOf(const Clause& clause) {
  const bool any = clause.type == "*" && clause.subtype == "*";
  if (any || (clause.type == "application" && clause.subtype == "json")) return Meaning::kJson;
  if (clause.type == "*") return Meaning::kOther;
  // Types that some servers, or some resources, have a form for.
  constexpr std::array<std::string_view, 6> kServed = {
      "*", "yaml", "vnd.kubernetes.protobuf", "cbor", "cbor-seq", "apply-patch+yaml"};
  const bool served = clause.type == "application" &&
                      std::find(kServed.begin(), kServed.end(), clause.subtype) != kServed.end();
  return served ? Meaning::kOther : Meaning::kUnknownType;
}

std::optional<std::vector<Clause>> ParseAccept(std::string_view text) {
  std::vector<Clause> clauses;
  for (const std::string_view part : Split(text, ',')) {
    auto clause = ParseClause(part);
    if (!clause || clauses.size() == kMaxClauses) return std::nullopt;
    clauses.push_back(*clause);
  }
  return clauses;
}

// strconv.ParseBool's true.
bool IsGoTrue(std::string_view text) {
  constexpr std::array<std::string_view, 6> kTrue = {"1", "t", "T", "true", "TRUE", "True"};
  return std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end();
}

bool AcceptAsksForIndentation(const http::RequestHead& head) {
  const std::string* accept = head.headers.First("Accept");
  if (accept == nullptr) return false;
  for (const std::string_view clause : Split(*accept, ',')) {
    for (const std::string_view parameter : Split(clause, ';')) {
      if (Trim(parameter) == "pretty=1") return true;
    }
  }
  return false;
}

bool IsInteractive(const http::RequestHead& head) {
  const std::string* agent = head.headers.First("User-Agent");
  return agent != nullptr && (agent->starts_with("curl") || agent->starts_with("Wget") ||
                              agent->starts_with("Mozilla/5.0"));
}

}  // namespace

bool AcceptsPlainJson(const http::RequestHead& head, bool watch) {
  const size_t lines = head.headers.Count("Accept");
  if (lines == 0) return true;
  if (lines > 1) return false;
  const std::string_view text = *head.headers.First("Accept");
  if (text.empty()) return true;

  auto clauses = ParseAccept(text);
  if (!clauses) return false;
  SortAsUpstream(*clauses);
  for (const Clause& clause : *clauses) {
    switch (MeaningOf(clause)) {
      case Meaning::kJson:
        return clause.is_plain && (watch || !clause.is_stream);
      case Meaning::kOther:
        return false;
      case Meaning::kUnknownType:
        break;
    }
  }
  return false;
}

bool WantsPretty(const http::RequestHead& head) {
  if (AcceptAsksForIndentation(head)) return true;
  // As upstream: an escaped name is not seen unless the plain word is in the query too.
  if (head.query().find("pretty") != std::string_view::npos) {
    const auto value = FirstQueryValue(head.query(), "pretty");
    if (value && !value->empty()) return IsGoTrue(*value);
  }
  return IsInteractive(head);
}

}  // namespace weir
