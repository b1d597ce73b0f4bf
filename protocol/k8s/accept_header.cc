#include "protocol/k8s/accept_header.h"

#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

#include "protocol/http/message.h"

namespace weir {
namespace {

// Upstream sorts up to this many clauses by insertion, and more in an order that is not worth
// imitating.
constexpr size_t kMaxSortedByInsertion = 12;
constexpr size_t kMaxClauses = 64;

// Spaces only, no tabs.
std::string_view Trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// Takes what stands before the first separator, and the separator, off `text`.
std::string_view Take(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// What Go's ParseFloat takes besides decimal numbers.
bool IsRareNumber(std::string_view unsigned_text) {
  for (const std::string_view word : {"inf", "infinity", "nan"}) {
    if (http::EqualsIgnoreCase(unsigned_text, word)) return true;
  }
  return http::EqualsIgnoreCase(unsigned_text.substr(0, 2), "0x") ||
         unsigned_text.find('_') != std::string_view::npos;
}

// Go's ParseFloat to 32 bits, whose errors upstream ignores: then it is 0.
float ParseWeight(std::string_view text, bool& is_doubtful) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (IsRareNumber(text)) {
    is_doubtful = true;
    return 0;
  }
  if (text.empty() || (!IsDigit(text.front()) && text.front() != '.')) return 0;
  float weight = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, weight);
  if (error == std::errc::result_out_of_range) {
    is_doubtful = true;
    return 0;
  }
  if (error != std::errc() || rest != end) return 0;
  return negative ? -weight : weight;
}

void SetParameter(std::string_view name, std::string_view value, AcceptClause& clause) {
  if (name == "as" || name == "g" || name == "v") {
    clause.converts = true;
    (name == "as" ? clause.kind : name == "g" ? clause.group : clause.version) = value;
  } else if (name == "stream") {
    clause.stream = value;
  } else if (name == "sv") {
    clause.server_version = value;
  } else if (name == "pretty") {
    clause.pretty = value == "1";
  } else if (name != "charset" && name != "export" && name != "profile") {
    clause.has_unknown = true;
  }
}

// `text` is one clause behind its media type. Of two parameters of a name the later one counts.
void ReadParameters(std::string_view text, AcceptClause& clause, bool& is_doubtful) {
  while (!text.empty()) {
    std::string_view value = Take(text, ';');
    const std::string_view name = Trim(Take(value, '='));
    const bool is_pair = !value.empty() && value.find('=') >= value.size() - 1;
    if (!is_pair) continue;
    value = value.substr(0, value.find('='));
    if (name == "q") {
      clause.weight = ParseWeight(value, is_doubtful);
    } else {
      SetParameter(name, Trim(value), clause);
    }
  }
}

// False where upstream passes the clause over.
bool ReadMediaType(std::string_view text, AcceptClause& clause) {
  clause.type = Trim(Take(text, '/'));
  if (text.empty()) {
    clause.subtype = "*";
    return clause.type == "*";
  }
  clause.subtype = Trim(Take(text, '/'));
  return text.empty();
}

// Not a strict weak order: with upstream's sort the outcome depends on the order in the header.
bool IsBefore(const AcceptClause& a, const AcceptClause& b) {
  return a.weight > b.weight || (a.type != "*" && b.type == "*") ||
         (a.subtype != "*" && b.subtype == "*");
}

void SortByInsertion(std::vector<AcceptClause>& clauses) {
  for (size_t i = 1; i < clauses.size(); ++i) {
    for (size_t j = i; j > 0 && IsBefore(clauses[j], clauses[j - 1]); --j) {
      std::swap(clauses[j], clauses[j - 1]);
    }
  }
}

}  // namespace

AcceptHeader ParseAcceptHeader(std::string_view value) {
  AcceptHeader header;
  while (!value.empty() && header.clauses.size() < kMaxClauses) {
    std::string_view part = Trim(Take(value, ','));
    AcceptClause clause;
    if (!ReadMediaType(Take(part, ';'), clause)) continue;
    ReadParameters(part, clause, header.is_doubtful);
    header.clauses.push_back(clause);
  }
  header.is_doubtful |= header.clauses.size() > kMaxSortedByInsertion;
  SortByInsertion(header.clauses);
  return header;
}

}  // namespace weir
