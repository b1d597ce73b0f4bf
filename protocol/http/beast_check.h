// The second opinion on a head: Boost.Beast's parser must read it exactly as ours did.
//
// Kept apart so that Beast's headers stay out of all other sources. Nothing is allocated: Beast's
// callbacks are compared with our values as they come.
#pragma once

#include <string_view>

#include "protocol/http/message.h"

namespace weir::http {

// Whether Beast accepts all of `bytes` as the head of a message and finds in it what `head` says:
// start line, fields in order, framing, persistence. `target` is the request target as received,
// before any rewriting.
bool BeastAgrees(std::string_view bytes, const RequestHead& head, std::string_view target);
// `skip_body`: the answer has no body whatever its fields say (HEAD).
bool BeastAgrees(std::string_view bytes, const ResponseHead& head, bool skip_body);

}  // namespace weir::http
