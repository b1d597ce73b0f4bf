// Short answers of Weir's own: errors, in kube-apiserver's words.
#pragma once

#include <string>
#include <string_view>

#include "protocol/k8s/api_error.h"
#include "proxy/session/exchange.h"

namespace weir {

// Headers that every answer of an API server has: Audit-Id (the client's, or a fresh UUID),
// Cache-Control, Date.
http::ResponseHead BeginResponse(const Exchange& exchange, int status,
                                 std::string_view content_type);

// A Status in the form that the request's Accept, `pretty` and User-Agent ask for, as upstream
// negotiates errors. 403 carries nosniff, Retry-After follows the details; `more` are added.
Async<void> RespondError(Exchange& exchange, ApiError error, http::HeaderList more = {});
// 429 in the words of kube-apiserver's own bound on requests in flight; the connection stays.
Async<void> RespondTooManyRequests(Exchange& exchange);
// text/plain, as Go's HTTP server writes its own errors; the connection closes after it.
Async<void> RespondText(Exchange& exchange, int status, std::string text);

// RFC 9110 §5.6.7, of now.
std::string HttpDate();
std::string RandomUuid();

}  // namespace weir
