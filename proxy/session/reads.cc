#include "proxy/session/reads.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "cache/list_cursor.h"
#include "protocol/k8s/uncached.h"
#include "proxy/admin/metrics.h"
#include "proxy/net/signal.h"
#include "proxy/session/body_writer.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

constexpr Duration kMaxTimeout = std::chrono::seconds(60);
constexpr size_t kFirstBytes = 16 * 1024;  // Small, so that the first byte is on its way at once.

struct State {
  ReadOutcome outcome;
  Snapshot snapshot;
};

Async<std::optional<State>> ReadState(Service& service, const ReadRequest& request,
                                      Replica& replica) {
  const Promise<State> promise(service.worker);
  ReadSpec spec = SpecOf(request);
  if (spec.kind == ReadSpec::Kind::kNotOlderThan && IsUncachedUpstream(request.resource))
    spec.kind = ReadSpec::Kind::kAny;
  const auto ticket = replica.Read(spec, [promise](ReadOutcome outcome, Snapshot snapshot) {
    State state{outcome, std::move(snapshot)};
    promise.Set(std::move(state));
  });
  const Duration timeout =
      request.timeout > Duration(0) ? std::min(request.timeout, kMaxTimeout) : kMaxTimeout;
  co_return co_await promise.Take(service.worker.Now() + timeout);
}

// Whether upstream has a route for the request's scope; the API server has the words where not.
bool ScopeFits(const ReadRequest& request, const ResourceType& type) {
  if (type.namespaced) return request.verb != ReadVerb::kGet || !request.namespace_.empty();
  // Of `namespaces/x` itself the parser says namespace x; a custom resource of that name has no
  // such route.
  const bool is_namespace =
      request.resource.group.empty() && request.resource.resource == "namespaces";
  return request.namespace_.empty() || is_namespace;
}

std::string_view MediaTypeOf(Form form) {
  return IsProtobuf(form.encoding) ? kProtobufType : kJsonType;
}

// What the client gets of this type; nothing where upstream has the words for it.
std::optional<Negotiated> FormOf(const ReadRequest& request, const TypeForm& type) {
  const Negotiated& chosen = type.custom ? request.forms.custom : request.forms.built_in;
  if (!chosen.serve || chosen.form.encoding != type.encoding) return std::nullopt;
  return chosen;
}

Async<void> ServeGet(Exchange& exchange, const ReadRequest& request, const Snapshot& snapshot,
                     Negotiated how) {
  const TypeForm& form = *snapshot.form;
  const std::string key =
      form.type.namespaced ? request.namespace_ + "/" + request.name : request.name;
  const ObjectRef object = snapshot.tree.Find(key);
  if (!object) {
    ApiError error = ApiError::NotFound(request.resource, request.name);
    http::HeaderList warnings;
    AddWarnings(form, warnings);
    co_await RespondError(exchange, std::move(error), std::move(warnings));
    co_return;
  }
  http::ResponseHead head = BeginResponse(exchange, 200, MediaTypeOf(how.form));
  AddWarnings(form, head.headers);
  const Framing framing(snapshot.form, how.form.metadata_only);
  Gather gather;
  framing.AddObject(*object, gather);
  BodyWriter::Options options;
  options.pretty = how.pretty;
  options.gzip = request.gzip;
  options.known_bytes = gather.bytes();
  BodyWriter body(exchange, std::move(head), options);
  const Status added = co_await body.Add(gather.pieces());
  if (added.ok()) static_cast<void>(co_await body.Finish());
}

// What an index knows of the objects that `filter` wants, and the state that they are of: the
// newest one, which will do for all but exact reads.
std::optional<std::vector<ObjectRef>> FromIndex(Replica& replica, const ReadRequest& request,
                                                const Filter& filter, Snapshot& snapshot) {
  if (SpecOf(request).kind == ReadSpec::Kind::kExact) return std::nullopt;
  const auto candidates = replica.Candidates(filter);
  if (!candidates) return std::nullopt;
  snapshot = replica.snapshot();
  return std::vector<ObjectRef>(candidates->begin(), candidates->end());
}

Async<void> ServeList(Service& service, Exchange& exchange, const ReadRequest& request,
                      Replica& replica, Snapshot snapshot, Negotiated how,
                      Admission::Ticket& ticket) {
  ListSpec spec;
  spec.filter = Filter::Of(request, snapshot.form->fields);
  spec.metadata_only = how.form.metadata_only;
  const bool any = request.resource_version.has_value() && request.resource_version->value == 0;
  spec.limit = any && !IsUncachedUpstream(request.resource) ? 0 : request.limit;
  if (request.continue_token.has_value()) spec.start_key = request.continue_token->start_key;
  if (spec.limit <= 0 && spec.start_key.empty()) {
    spec.candidates = FromIndex(replica, request, spec.filter, snapshot);
  }
  spec.key_is_namespaced = snapshot.form->type.namespaced && request.namespace_.empty();
  spec.revision = snapshot.revision;

  http::ResponseHead head = BeginResponse(exchange, 200, MediaTypeOf(how.form));
  AddWarnings(*snapshot.form, head.headers);
  ListCursor cursor(std::move(snapshot), std::move(spec));
  // Where nobody knows the size beforehand a list counts for what it holds at a time.
  const bool room =
      ticket.TakeBytes(std::max<uint64_t>(cursor.total_bytes(), BodyWriter::kWindowBytes));
  if (!room) {
    co_await RespondTooManyRequests(exchange);
    co_return;
  }
  BodyWriter::Options options;
  options.pretty = how.pretty;
  options.gzip = request.gzip;
  options.known_bytes = cursor.total_bytes();
  BodyWriter body(exchange, std::move(head), options);
  if (body.compresses()) cursor.UseBlocks();
  Gather gather;
  size_t window = kFirstBytes;
  for (;;) {
    gather.Clear();
    const ListCursor::Step step = cursor.Next(window, gather);
    if (step == ListCursor::Step::kEnd) break;
    if (step == ListCursor::Step::kYield) {
      co_await net::post(service.worker.io(), net::use_awaitable_t<IoExecutor>());
      continue;
    }
    Status added;
    if (step == ListCursor::Step::kBlocks) {
      ProcessMetrics().list_bytes.Add(cursor.blocks().length);
      added = co_await body.AddBlocks(cursor.blocks());
    } else {
      ProcessMetrics().list_bytes.Add(gather.bytes());
      added = co_await body.Add(gather.pieces());
    }
    if (!added.ok()) co_return;
    window = BodyWriter::kWindowBytes;
  }
  static_cast<void>(co_await body.Finish());
}

WatchSpec WatchSpecOf(const ReadRequest& request, Replica& replica, Snapshot snapshot, Form how) {
  WatchSpec spec;
  spec.filter = Filter::Of(request, snapshot.form->fields);
  spec.form = how;
  spec.bookmarks = request.allow_watch_bookmarks;
  spec.mark_only = IsUncachedUpstream(request.resource);
  if (request.WantsInitialEvents()) {
    spec.form.gzip_members = request.gzip && request.allow_watch_bookmarks;
    spec.candidates = FromIndex(replica, request, spec.filter, snapshot);
    spec.initial = std::move(snapshot);
  } else {
    // Revision 0, or none: what follows the state that is here.
    spec.from = request.resource_version.value_or(Revision{});
  }
  return spec;
}

// Whether it is a watch of what followed a state that the client has.
bool Resumes(const ReadRequest& request) {
  return request.verb == ReadVerb::kWatch && !request.WantsInitialEvents() &&
         request.resource_version.value_or(Revision{}) != Revision{};
}

// Of what upstream answers from etcd nothing is waited for: a revision is here at once, or upstream
// is asked. Of history it has minutes. Only who names a revision that came in parts, or inside
// a gap, gets a 410, since it was perhaps told of the first of them; and nobody gets a state that a
// watch could not go on from.
bool IsHere(const ReadRequest& request, const Replica& replica, const Snapshot& snapshot) {
  using Past = Replica::Past;
  if (request.continue_token.has_value()) return true;
  const Revision revision = request.resource_version.value_or(Revision{});
  if (Resumes(request)) return replica.After(revision) != Past::kGone;
  return snapshot.revision >= revision && replica.After(snapshot.revision) != Past::kInParts;
}

}  // namespace

bool AsksForThePast(const ReadRequest& request) {
  return request.continue_token.has_value() ||
         request.resource_version.value_or(Revision{}) != Revision{};
}

ReadSpec SpecOf(const ReadRequest& request) {
  ReadSpec spec;
  if (request.continue_token.has_value()) {
    const int64_t revision = request.continue_token->revision;
    spec.kind = revision > 0 ? ReadSpec::Kind::kExact : ReadSpec::Kind::kMostRecent;
    if (revision > 0) spec.revision = Revision{static_cast<uint64_t>(revision)};
    return spec;
  }
  if (!request.resource_version.has_value()) {
    spec.kind = ReadSpec::Kind::kMostRecent;
    return spec;
  }
  spec.revision = *request.resource_version;
  // A watch of what follows N only needs a cache that is there.
  if (spec.revision.value == 0 || Resumes(request)) {
    spec.kind = ReadSpec::Kind::kAny;
    return spec;
  }
  const bool exact = request.match == ReadRequest::Match::kExact ||
                     (request.verb == ReadVerb::kList &&
                      request.match == ReadRequest::Match::kUnset && request.limit > 0);
  spec.kind = exact ? ReadSpec::Kind::kExact : ReadSpec::Kind::kNotOlderThan;
  return spec;
}

void AddWarnings(const TypeForm& form, http::HeaderList& headers) {
  std::string_view rest = form.warning;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    headers.Add("Warning", rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
}

Async<std::optional<ForwardReason>> ServeRead(Service& service, Exchange& exchange,
                                              CachedRead& read) {
  const ReadRequest& request = read.request;
  const std::shared_ptr<Replica>& replica = read.replica;
  const bool uncached = IsUncachedUpstream(request.resource);
  if (uncached && AsksForThePast(request) && replica->state() == CacheState::kStarting)
    co_return ForwardReason::kNotReady;
  std::optional<State> state = co_await ReadState(service, request, *replica);
  if (!state.has_value()) {
    ApiError error = ApiError::Timeout();
    co_await RespondError(exchange, std::move(error));
    co_return std::nullopt;
  }
  if (state->outcome == ReadOutcome::kForward) {
    co_return replica->state() == CacheState::kSynced ? ForwardReason::kFreshness
                                                      : ForwardReason::kNotReady;
  }
  if (state->outcome == ReadOutcome::kTooManyRequests) {
    ApiError error = ApiError::TooManyRequests("storage is (re)initializing", 1);
    co_await RespondError(exchange, std::move(error));
    co_return std::nullopt;
  }
  const TypeForm& type = *state->snapshot.form;
  if (uncached && !IsHere(request, *replica, state->snapshot)) co_return ForwardReason::kFreshness;
  if (!ScopeFits(request, type.type)) co_return ForwardReason::kPath;
  if (!SelectorsServed(request.field_selector, *type.fields, type.type.namespaced, type.custom)) {
    co_return ForwardReason::kSelector;
  }
  const std::optional<Negotiated> how = FormOf(request, type);
  if (!how.has_value()) co_return ForwardReason::kAccept;
  if (request.verb == ReadVerb::kGet) {
    co_await ServeGet(exchange, request, state->snapshot, *how);
  } else if (request.verb == ReadVerb::kList) {
    co_await ServeList(service, exchange, request, *replica, std::move(state->snapshot), *how,
                       read.ticket);
  } else {
    WatchSpec spec = WatchSpecOf(request, *replica, std::move(state->snapshot), how->form);
    state.reset();
    co_await ServeWatch(service, exchange, read, std::move(spec));
  }
  co_return std::nullopt;
}

}  // namespace weir
