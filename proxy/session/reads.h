// Answers of the cache: LIST, WATCH and GET.
//
// Each takes an Authorized, which only the authorizer makes: no path reaches an object without one.
#pragma once

#include "cache/replica.h"
#include "protocol/k8s/read_request.h"
#include "proxy/session/cached_read.h"
#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

// Which state answers the request (api-semantics 2.2, 3.2, 4).
ReadSpec SpecOf(const ReadRequest& request);

// Whether it names a state, or what followed one, that a cache which begins now cannot have.
bool AsksForThePast(const ReadRequest& request);

// Answers `read`; a watch goes on when this has returned. Returns the reason where it is to be
// forwarded instead: nothing has been sent then.
Async<std::optional<ForwardReason>> ServeRead(Service& service, Exchange& exchange,
                                              CachedRead& read);

// Begins the stream of a watch from `spec`; it goes on by itself (running_watch.h).
Async<void> ServeWatch(Service& service, Exchange& exchange, CachedRead& read, WatchSpec spec);

// Adds upstream's Warning lines of the type.
void AddWarnings(const TypeForm& form, http::HeaderList& headers);

}  // namespace weir
