#include "proxy/auth/review_answer.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace weir {
namespace {

namespace dom = simdjson::dom;

constexpr size_t kMaxDepth = 64;

Status Malformed(std::string_view what) {
  return Unavailable(fmt::format("review answer: {}", what));
}

// Looks `keys` up in `object`, once over it; a key that is there twice is refused, as two readers
// might take different ones.
template <size_t kSize>
Status Select(dom::object object, const std::array<std::string_view, kSize>& keys,
              std::array<std::optional<dom::element>, kSize>& values) {
  for (const dom::key_value_pair field : object) {
    for (size_t i = 0; i < kSize; ++i) {
      if (field.key != keys[i]) continue;
      if (values[i].has_value()) return Malformed(fmt::format("{} appears twice", keys[i]));
      values[i] = field.value;
    }
  }
  return OkStatus();
}

// A field that may be missing or null, else has to be of type T.
template <typename T>
Status Optional(std::string_view key, const std::optional<dom::element>& value, T& out) {
  if (!value.has_value() || value->is_null()) return OkStatus();
  if (value->get(out) != simdjson::SUCCESS) {
    return Malformed(fmt::format("{} has another type", key));
  }
  return OkStatus();
}

Status Optional(std::string_view key, const std::optional<dom::element>& value, std::string& out) {
  std::string_view text;
  WEIR_TRY(Optional<std::string_view>(key, value, text));
  out = text;
  return OkStatus();
}

Status Strings(std::string_view key, dom::element value, std::vector<std::string>& out) {
  dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return Malformed(fmt::format("{} is no list", key));
  for (const dom::element item : array) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) {
      return Malformed(fmt::format("{} holds another type", key));
    }
    out.emplace_back(text);
  }
  return OkStatus();
}

// Parses `body` and returns the `status` of an object of `kind`. The parser owns what the result
// points into.
StatusOr<dom::object> StatusOf(dom::parser& parser, std::string_view body, std::string_view kind) {
  if (body.size() > kMaxReviewBytes) return Malformed("too large");
  if (body.empty() || parser.allocate(body.size(), kMaxDepth) != simdjson::SUCCESS) {
    return Malformed("empty");
  }
  dom::object root;
  if (parser.parse(body.data(), body.size(), true).get(root) != simdjson::SUCCESS) {
    return Malformed("no JSON object");
  }
  constexpr std::array<std::string_view, 2> kKeys = {"kind", "status"};
  std::array<std::optional<dom::element>, 2> fields;
  WEIR_TRY(Select(root, kKeys, fields));
  std::string got;
  WEIR_TRY(Optional("kind", fields[0], got));
  if (got != kind) return Malformed(fmt::format("no {}", kind));
  dom::object status;
  if (!fields[1].has_value() || fields[1]->get(status) != simdjson::SUCCESS) {
    return Malformed("no status");
  }
  return status;
}

std::string LowerCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Status ReadUser(dom::object user, Identity& identity) {
  constexpr std::array<std::string_view, 4> kKeys = {"username", "uid", "groups", "extra"};
  std::array<std::optional<dom::element>, 4> fields;
  WEIR_TRY(Select(user, kKeys, fields));
  WEIR_TRY(Optional("username", fields[0], identity.name));
  WEIR_TRY(Optional("uid", fields[1], identity.uid));
  if (fields[2].has_value() && !fields[2]->is_null()) {
    WEIR_TRY(Strings("groups", *fields[2], identity.groups));
  }
  if (!fields[3].has_value() || fields[3]->is_null()) return OkStatus();
  dom::object extra;
  if (fields[3]->get(extra) != simdjson::SUCCESS) return Malformed("extra is no map");
  for (const dom::key_value_pair field : extra) {
    std::vector<std::string>& values = identity.extra[LowerCase(field.key)];
    if (!field.value.is_null()) WEIR_TRY(Strings("extra", field.value, values));
  }
  return OkStatus();
}

}  // namespace

StatusOr<TokenAnswer> ParseTokenReview(std::string_view body) {
  dom::parser parser(kMaxReviewBytes);
  WEIR_ASSIGN_OR_RETURN(const dom::object status, StatusOf(parser, body, "TokenReview"));
  constexpr std::array<std::string_view, 3> kKeys = {"authenticated", "user", "error"};
  std::array<std::optional<dom::element>, 3> fields;
  WEIR_TRY(Select(status, kKeys, fields));
  TokenAnswer answer;
  WEIR_TRY(Optional("authenticated", fields[0], answer.authenticated));
  WEIR_TRY(Optional("error", fields[2], answer.error));
  if (!answer.authenticated) return answer;

  dom::object user;
  if (!fields[1].has_value() || fields[1]->get(user) != simdjson::SUCCESS) {
    return Malformed("no user");
  }
  answer.identity.method = Identity::Method::kToken;
  WEIR_TRY(ReadUser(user, answer.identity));
  // An empty name is nobody; system:anonymous is what upstream makes of a token that it did not
  // read as one.
  if (answer.identity.name.empty() || answer.identity.name == "system:anonymous") {
    answer.authenticated = false;
    answer.error = "the verdict names no user";
    return answer;
  }
  AddAuthenticatedGroup(answer.identity);
  return answer;
}

StatusOr<AccessAnswer> ParseAccessReview(std::string_view body) {
  dom::parser parser(kMaxReviewBytes);
  WEIR_ASSIGN_OR_RETURN(const dom::object status, StatusOf(parser, body, "SubjectAccessReview"));
  constexpr std::array<std::string_view, 3> kKeys = {"allowed", "denied", "reason"};
  std::array<std::optional<dom::element>, 3> fields;
  WEIR_TRY(Select(status, kKeys, fields));
  bool allowed = false;
  bool denied = false;
  AccessAnswer answer;
  if (!fields[0].has_value()) return Malformed("no allowed");
  WEIR_TRY(Optional("allowed", fields[0], allowed));
  WEIR_TRY(Optional("denied", fields[1], denied));
  WEIR_TRY(Optional("reason", fields[2], answer.reason));
  answer.allowed = allowed && !denied;
  return answer;
}

StatusOr<std::string_view> ReviewBody(const StatusOr<ReviewAnswer>& answer) {
  if (!answer.ok()) return answer.status();
  if (answer->status != 200 && answer->status != 201) {
    return Unavailable(fmt::format("upstream answered {} to a review", answer->status));
  }
  return std::string_view(answer->body);
}

bool MayRetry(const StatusOr<ReviewAnswer>& answer) {
  if (!answer.ok()) return absl::IsUnavailable(answer.status());
  constexpr std::array<int, 5> kCodes = {429, 500, 502, 503, 504};
  return std::find(kCodes.begin(), kCodes.end(), answer->status) != kCodes.end();
}

void AddAuthenticatedGroup(Identity& identity) {
  if (identity.name == "system:anonymous") return;
  for (const std::string& group : identity.groups) {
    if (group == "system:authenticated" || group == "system:unauthenticated") return;
  }
  identity.groups.emplace_back("system:authenticated");
}

}  // namespace weir
