// What a request asks for, read as generously as kube-apiserver reads it (api-semantics 1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "protocol/http/message.h"
#include "protocol/k8s/api_error.h"
#include "protocol/k8s/continue_token.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/resource.h"

namespace weir::sim {

// A decoded query: the first of equal names counts.
class Query {
 public:
  explicit Query(std::string_view text);
  std::optional<std::string_view> First(std::string_view name) const;
  // Kubernetes' booleans: absent, "0" and "false" are false, all else is true.
  bool IsTrue(std::string_view name) const;
  std::string_view Text(std::string_view name) const { return First(name).value_or(""); }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

// Percent escapes decoded; nothing where one is malformed.
std::optional<std::string> Unescape(std::string_view text, bool plus_is_space);

// The path's meaning.
struct RequestInfo {
  bool is_resource = false;
  std::string path;  // Decoded.
  std::string verb;  // "list", "create" …; of other URLs the method in lower case.
  ResourceId id;
  std::string namespace_, name, subresource;
  bool watch_path = false;  // The deprecated /watch/ prefix.
};
RequestInfo ParseRequestInfo(std::string_view method, std::string_view path, const Query& query);

// Options of LIST, WATCH and GET, decoded and validated.
struct ListOptions {
  LabelSelector labels;
  FieldSelector fields;
  bool watch = false;
  std::string resource_version;  // As given; "" for unset.
  std::optional<Revision> revision;
  enum class Match : uint8_t { kUnset, kExact, kNotOlderThan };
  Match match = Match::kUnset;
  std::optional<bool> initial_events;
  bool bookmarks = false;
  int64_t limit = 0;
  std::optional<int64_t> timeout_seconds;
  std::optional<ContinueToken> token;
};
std::variant<ListOptions, ApiError> ParseListOptions(const Query& query, bool watch);

ApiError BadRequest(std::string message);

// Which media type an answer may have: the first Accept line decides (api-semantics 5.1). The
// simulator has JSON only.
bool AcceptsJson(const http::HeaderList& headers);

}  // namespace weir::sim
