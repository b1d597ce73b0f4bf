// The opaque `continue` token, byte for byte as upstream writes it (api-semantics 2.6), so that a
// list begun here can go on at any replica or at the API server itself, and the other way round.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/status.h"

namespace weir {

struct ContinueToken {
  int64_t revision = 0;   // > 0: exact. < 0: at the latest state. Never 0.
  std::string start_key;  // Relative to the request's collection, without leading slash; the scan
                          // starts at keys ≥ it.

  // InvalidArgument where upstream answers 400.
  static StatusOr<ContinueToken> Decode(std::string_view token);
  // The token after `last_key` ("ns/name" or "name"), in the form that upstream's own cache writes:
  // with a leading slash and a NUL after the key. Without the slash where etcd answers
  // (uncached.h).
  static std::string Encode(int64_t revision, std::string_view last_key, bool leading_slash = true);
  // The token of a 410 (api-semantics 2.7): from the same start key at the latest state, without
  // leading slash. Empty where there is no start key, which upstream would not take back.
  std::string Refreshed() const;
};

}  // namespace weir
