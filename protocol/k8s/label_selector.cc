#include "protocol/k8s/label_selector.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "fmt/format.h"
#include "protocol/k8s/label_syntax.h"

namespace weir {
namespace {

using Operator = LabelSelector::Operator;

enum class Token : uint8_t {
  kEnd,
  kWord,
  kOpen,
  kClose,
  kComma,
  kNot,
  kEqual,
  kNotEqual,
  kGreater,
  kLess,
};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool IsSpecial(char c) { return std::string_view("=!(),><").find(c) != std::string_view::npos; }

// One token ahead of the parser. `in` and `notin` are words here: they are keywords only where an
// operator is due.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) { Advance(); }

  Token token() const { return token_; }
  std::string_view word() const { return word_; }  // Of kWord.

  void Advance() {
    while (position_ < text_.size() && IsSpace(text_[position_])) ++position_;
    if (position_ == text_.size()) {
      token_ = Token::kEnd;
    } else if (IsSpecial(text_[position_])) {
      token_ = Special();
    } else {
      const size_t begin = position_;
      while (position_ < text_.size() && !IsSpace(text_[position_]) &&
             !IsSpecial(text_[position_])) {
        ++position_;
      }
      word_ = text_.substr(begin, position_ - begin);
      token_ = Token::kWord;
    }
  }

 private:
  Token Special() {
    const char c = text_[position_++];
    const bool equal_follows = position_ < text_.size() && text_[position_] == '=';
    switch (c) {
      case '(':
        return Token::kOpen;
      case ')':
        return Token::kClose;
      case ',':
        return Token::kComma;
      case '>':
        return Token::kGreater;
      case '<':
        return Token::kLess;
      case '!':
        if (equal_follows) ++position_;
        return equal_follows ? Token::kNotEqual : Token::kNot;
      default:
        if (equal_follows) ++position_;
        return Token::kEqual;
    }
  }

  const std::string_view text_;
  size_t position_ = 0;
  Token token_ = Token::kEnd;
  std::string_view word_;
};

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  StatusOr<std::vector<LabelSelector::Requirement>> Run() {
    std::vector<LabelSelector::Requirement> requirements;
    if (lexer_.token() == Token::kEnd) return requirements;
    for (;;) {
      WEIR_ASSIGN_OR_RETURN(auto requirement, ParseRequirement());
      requirements.push_back(std::move(requirement));
      if (lexer_.token() == Token::kEnd) return requirements;
      if (lexer_.token() != Token::kComma) return InvalidArgument("labelSelector: ',' expected");
      lexer_.Advance();
    }
  }

 private:
  StatusOr<LabelSelector::Requirement> ParseRequirement() {
    const bool negated = lexer_.token() == Token::kNot;
    if (negated) lexer_.Advance();
    if (lexer_.token() != Token::kWord) return InvalidArgument("labelSelector: key expected");
    LabelSelector::Requirement requirement;
    requirement.key = lexer_.word();
    lexer_.Advance();
    if (!IsLabelKey(requirement.key)) {
      return InvalidArgument(fmt::format("labelSelector: bad key '{}'", requirement.key));
    }
    // After `!key` only the end or a comma may follow, which Run() checks.
    requirement.op = negated ? Operator::kDoesNotExist : Operator::kExists;
    if (!negated && lexer_.token() != Token::kEnd && lexer_.token() != Token::kComma) {
      WEIR_TRY(ParseOperation(requirement));
    }
    return requirement;
  }

  Status ParseOperation(LabelSelector::Requirement& requirement) {
    const bool is_set = lexer_.token() == Token::kWord;
    WEIR_ASSIGN_OR_RETURN(requirement.op, ParseOperator());
    WEIR_TRY(is_set ? ParseSet(requirement.values) : ParseValue(requirement.values));
    std::sort(requirement.values.begin(), requirement.values.end());
    requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                             requirement.values.end());
    return Validate(requirement);
  }

  StatusOr<Operator> ParseOperator() {
    const Token token = lexer_.token();
    const std::string_view word = lexer_.word();
    lexer_.Advance();
    switch (token) {
      case Token::kEqual:
        return Operator::kIn;
      case Token::kNotEqual:
        return Operator::kNotIn;
      case Token::kGreater:
        return Operator::kGreaterThan;
      case Token::kLess:
        return Operator::kLessThan;
      case Token::kWord:
        if (word == "in") return Operator::kIn;
        if (word == "notin") return Operator::kNotIn;
        break;
      default:
        break;
    }
    return InvalidArgument("labelSelector: operator expected");
  }

  // An absent value is the empty one.
  Status ParseValue(std::vector<std::string>& values) {
    if (lexer_.token() == Token::kEnd || lexer_.token() == Token::kComma) {
      values.emplace_back();
      return OkStatus();
    }
    if (lexer_.token() != Token::kWord) return InvalidArgument("labelSelector: value expected");
    values.emplace_back(lexer_.word());
    lexer_.Advance();
    return OkStatus();
  }

  // Elements between commas may be empty. Two commas in a row, which upstream takes in some places
  // and not in others, are refused.
  Status ParseSet(std::vector<std::string>& values) {
    if (lexer_.token() != Token::kOpen) return InvalidArgument("labelSelector: '(' expected");
    bool after_comma = false;
    for (;;) {
      lexer_.Advance();
      if (lexer_.token() == Token::kWord) {
        values.emplace_back(lexer_.word());
        lexer_.Advance();
      } else if (after_comma && lexer_.token() == Token::kComma) {
        return InvalidArgument("labelSelector: ',,' in a set");
      } else {
        values.emplace_back();
      }
      if (lexer_.token() == Token::kClose) break;
      if (lexer_.token() != Token::kComma) return InvalidArgument("labelSelector: ')' expected");
      after_comma = true;
    }
    lexer_.Advance();
    return OkStatus();
  }

  static Status Validate(const LabelSelector::Requirement& requirement) {
    const bool is_number =
        requirement.op == Operator::kGreaterThan || requirement.op == Operator::kLessThan;
    for (const std::string& value : requirement.values) {
      if (!IsLabelValue(value) || (is_number && !ParseInteger(value))) {
        return InvalidArgument(fmt::format("labelSelector: bad value '{}'", value));
      }
    }
    return OkStatus();
  }

  Lexer lexer_;
};

bool IsOneOf(std::string_view value, const std::vector<std::string>& sorted) {
  return std::binary_search(sorted.begin(), sorted.end(), value, std::less<>());
}

// Labels are compared as numbers; one that is none does not match.
bool ComparesAs(std::strong_ordering wanted, std::string_view value, std::string_view bound) {
  const auto number = ParseInteger(value);
  const auto limit = ParseInteger(bound);
  return number && limit && (*number <=> *limit) == wanted;
}

bool MatchesRequirement(const LabelSelector::Requirement& requirement, const LabelsView& labels) {
  const auto value = labels.Find(requirement.key);
  switch (requirement.op) {
    case Operator::kIn:
      return value && IsOneOf(*value, requirement.values);
    case Operator::kNotIn:
      return !value || !IsOneOf(*value, requirement.values);
    case Operator::kExists:
      return value.has_value();
    case Operator::kDoesNotExist:
      return !value;
    case Operator::kGreaterThan:
      return value && ComparesAs(std::strong_ordering::greater, *value, requirement.values.front());
    case Operator::kLessThan:
      return value && ComparesAs(std::strong_ordering::less, *value, requirement.values.front());
  }
  return false;
}

void AppendRequirement(const LabelSelector::Requirement& requirement, std::string& out) {
  if (requirement.op == Operator::kDoesNotExist) out += '!';
  out += requirement.key;
  switch (requirement.op) {
    case Operator::kExists:
    case Operator::kDoesNotExist:
      return;
    case Operator::kGreaterThan:
      out += '>' + requirement.values.front();
      return;
    case Operator::kLessThan:
      out += '<' + requirement.values.front();
      return;
    case Operator::kIn:
    case Operator::kNotIn:
      break;
  }
  out += requirement.op == Operator::kIn ? " in (" : " notin (";
  for (const std::string& value : requirement.values) {
    if (&value != &requirement.values.front()) out += ',';
    out += value;
  }
  out += ')';
}

}  // namespace

StatusOr<LabelSelector> LabelSelector::Parse(std::string_view text) {
  Parser parser(text);
  LabelSelector selector;
  WEIR_ASSIGN_OR_RETURN(selector.requirements_, parser.Run());
  std::stable_sort(selector.requirements_.begin(), selector.requirements_.end(),
                   [](const Requirement& a, const Requirement& b) { return a.key < b.key; });
  return selector;
}

bool LabelSelector::Matches(const LabelsView& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&labels](const Requirement& r) { return MatchesRequirement(r, labels); });
}

// Keys and values hold none of the separators, so different requirements give different text.
std::string LabelSelector::Canonical() const {
  std::string out;
  for (const Requirement& requirement : requirements_) {
    if (!out.empty()) out += ',';
    AppendRequirement(requirement, out);
  }
  return out;
}

}  // namespace weir
