// Answers of the cache: LIST, WATCH and GET.
//
// Each takes an Authorized, which only the authorizer makes: no path reaches an object without one.
#pragma once

#include <memory>

#include "cache/replica.h"
#include "protocol/k8s/read_request.h"
#include "proxy/auth/authorizer.h"
#include "proxy/session/admission.h"
#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

// Which state answers the request (api-semantics 2.2, 3.2, 4).
ReadSpec SpecOf(const ReadRequest& request);

// Whether it names a state, or what followed one, that a cache which begins now cannot have.
bool AsksForThePast(const ReadRequest& request);

// Answers `request`, which is what `authorized` was made for. `ticket` is its room among the
// requests in flight; of a LIST the bytes are counted there. Returns the reason where it is to be
// forwarded instead: nothing has been sent then.
Async<std::optional<ForwardReason>> ServeRead(Service& service, Exchange& exchange,
                                              const ReadRequest& request,
                                              std::shared_ptr<const Authorized> authorized,
                                              std::shared_ptr<Replica> replica,
                                              Admission::Ticket& ticket);

// The stream of a watch that begins at `spec`. Its time runs since `asked`, as upstream's does, but
// the state that it begins with always comes.
Async<void> ServeWatch(Service& service, Exchange& exchange, const ReadRequest& request,
                       std::shared_ptr<const Authorized> authorized,
                       std::shared_ptr<Replica> replica, WatchSpec spec, TimePoint asked);

// Adds upstream's Warning lines of the type.
void AddWarnings(const TypeForm& form, http::HeaderList& headers);

}  // namespace weir
