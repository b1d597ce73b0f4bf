// Which requests the cache may answer: the strict grammar (auth-and-forwarding B.2.4).
//
// Everything that is not recognised beyond doubt is forwarded, so nothing here makes errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/http/message.h"
#include "protocol/k8s/accept.h"
#include "protocol/k8s/continue_token.h"
#include "protocol/k8s/field_selector.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/read_verb.h"
#include "protocol/k8s/resource.h"

namespace weir {

// A GET that is in the grammar. Values are decoded.
struct ReadRequest {
  ReadVerb verb = ReadVerb::kList;
  ResourceId resource;
  std::string namespace_;  // "" for all namespaces and for cluster-scoped resources. Of
                           // `namespaces/x`: "x".
  std::string name;  // GET: of the object. LIST, WATCH: from fieldSelector metadata.name=…, for
                     // authorisation.

  LabelSelector label_selector;
  // Of types that are built in all its fields are theirs; of others see SelectorsServed().
  FieldSelector field_selector;

  // Unset means "most recent"; "0" is Revision{0} and set.
  std::optional<Revision> resource_version;
  enum class Match : uint8_t { kUnset, kExact, kNotOlderThan };
  Match match = Match::kUnset;
  int64_t limit = 0;  // ≤ 0: none.
  std::optional<ContinueToken> continue_token;
  std::optional<int64_t> timeout_seconds;  // WATCH.
  bool allow_watch_bookmarks = false;
  std::optional<bool> send_initial_events;  // WATCH; as the client says it.
  // WATCH: whether the state comes first, as ADDED events (api-semantics 1.8, 3.2).
  bool WantsInitialEvents() const {
    return send_initial_events.value_or(!resource_version || resource_version->value == 0);
  }
  std::chrono::nanoseconds timeout{0};  // ?timeout= of LIST and GET; 0: the default.

  Negotiation forms;  // Which of the two counts, the resource type decides.
  bool gzip = false;  // Bodies above kGzipThreshold are to be compressed.
};

// Why a request goes upstream; the label of a metric, so a short fixed set.
enum class ForwardReason : uint8_t {
  kMethod,    // Not GET, or with a body.
  kPath,      // Not a plain collection or object path: discovery, subresource, health, escapes …
  kQuery,     // A parameter that is unknown, repeated, malformed or invalid: upstream has the words
              // for it.
  kAccept,    // Another form than compact JSON: Table, protobuf, YAML, pretty …
  kHeaders,   // Impersonation, upgrade.
  kExcluded,  // Configured not to be cached, or not cacheable: see cache/registry.h.
  kSelector,  // A field that the type does not have, or that Weir does not look at; an odd name.
  kFreshness,  // GET or single-key LIST without a revision; no proof or no such history.
  kNotReady,   // The cache has not synced in time.
};
std::string_view ToString(ForwardReason reason);

// Parses path, query, Accept, User-Agent and headers of `head`.
std::variant<ReadRequest, ForwardReason> ClassifyRead(const http::RequestHead& head);

}  // namespace weir
