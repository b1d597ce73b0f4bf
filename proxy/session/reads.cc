#include "proxy/session/reads.h"

#include <boost/asio/post.hpp>
#include <utility>
#include <vector>

#include "cache/list_cursor.h"
#include "proxy/admin/metrics.h"
#include "proxy/session/respond.h"

namespace weir {

namespace {

constexpr Duration kMaxTimeout = std::chrono::seconds(60);
constexpr size_t kFirstBytes = 16 * 1024;    // Small, so that the first byte is on its way at once.
constexpr size_t kWindowBytes = 256 * 1024;  // One visit of the socket.
// Go's server buffers this much before it decides on chunks.
constexpr size_t kBufferedBytes = 2048;

struct State {
  ReadOutcome outcome;
  Snapshot snapshot;
};

// Which state answers the request (api-semantics 2.2, 3.2, 4).
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
  if (spec.revision.value == 0 || request.verb == ReadVerb::kWatch) {
    spec.kind = ReadSpec::Kind::kAny;  // A watch from N only needs a cache that is there.
    return spec;
  }
  const bool exact = request.match == ReadRequest::Match::kExact ||
                     (request.verb == ReadVerb::kList &&
                      request.match == ReadRequest::Match::kUnset && request.limit > 0);
  spec.kind = exact ? ReadSpec::Kind::kExact : ReadSpec::Kind::kNotOlderThan;
  return spec;
}

Async<std::optional<State>> ReadState(Service& service, const ReadRequest& request,
                                      Replica& replica) {
  const Promise<State> promise(service.worker);
  const ReadSpec spec = SpecOf(request);
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

// `bytes` in windows; the caller keeps them.
Async<Status> WriteLong(Exchange& exchange, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view window = bytes.substr(0, kWindowBytes);
    bytes.remove_prefix(window.size());
    if (!exchange.Write(std::span(&window, 1), window.size()))
      WEIR_CO_TRY(co_await exchange.Drain());
  }
  co_return OkStatus();
}

Async<void> ServeGet(Exchange& exchange, const ReadRequest& request, const Snapshot& snapshot) {
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
  http::ResponseHead head = BeginResponse(exchange, 200, "application/json");
  AddWarnings(form, head.headers);
  const std::string_view pieces[] = {"{", form.type_prefix, object->rest(), "\n"};
  size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  head.body.kind = http::BodyFraming::Kind::kChunked;
  if (bytes <= kBufferedBytes) head.body = {http::BodyFraming::Kind::kLength, bytes};
  if (!exchange.Start(std::move(head)).ok()) co_return;
  if (bytes <= kWindowBytes) {
    exchange.Write(pieces, bytes);
  } else {
    for (const std::string_view piece : pieces) {
      const Status written = co_await WriteLong(exchange, piece);
      if (!written.ok()) co_return;
    }
  }
  const http::HeaderList no_trailers;
  static_cast<void>(co_await exchange.Finish(no_trailers));
}

Async<void> ServeList(Service& service, Exchange& exchange, const ReadRequest& request,
                      Snapshot snapshot) {
  ListSpec spec;
  spec.filter = Filter::Of(request);
  const bool any = request.resource_version.has_value() && request.resource_version->value == 0;
  spec.limit = any ? 0 : request.limit;
  if (request.continue_token.has_value()) spec.start_key = request.continue_token->start_key;
  spec.key_is_namespaced = snapshot.form->type.namespaced && request.namespace_.empty();
  spec.revision = snapshot.revision;

  http::ResponseHead head = BeginResponse(exchange, 200, "application/json");
  AddWarnings(*snapshot.form, head.headers);
  ListCursor cursor(std::move(snapshot), std::move(spec));
  std::vector<std::string_view> pieces;
  size_t bytes = cursor.Next(kFirstBytes, pieces);
  std::string buffered;
  head.body.kind = http::BodyFraming::Kind::kChunked;
  if (bytes <= kBufferedBytes) {
    for (const std::string_view piece : pieces) buffered.append(piece);
    pieces.clear();
    bytes = cursor.Next(kWindowBytes, pieces);
    if (bytes == 0) head.body = {http::BodyFraming::Kind::kLength, buffered.size()};
    pieces.insert(pieces.begin(), buffered);
    bytes += buffered.size();
  }
  if (!exchange.Start(std::move(head)).ok()) co_return;
  while (bytes > 0) {
    ProcessMetrics().list_bytes.Add(bytes);
    if (exchange.Write(pieces, bytes)) {
      // Others on this worker have their turn between two windows.
      co_await net::post(service.worker.io(), net::use_awaitable_t<IoExecutor>());
    } else {
      const Status drained = co_await exchange.Drain();
      if (!drained.ok()) co_return;
    }
    pieces.clear();
    bytes = cursor.Next(kWindowBytes, pieces);
  }
  const http::HeaderList no_trailers;
  static_cast<void>(co_await exchange.Finish(no_trailers));
}

WatchSpec WatchSpecOf(const ReadRequest& request, const Snapshot& snapshot) {
  WatchSpec spec;
  spec.filter = Filter::Of(request);
  spec.bookmarks = request.allow_watch_bookmarks;
  if (!request.resource_version.has_value() || request.resource_version->value == 0) {
    spec.initial = snapshot;
  } else {
    spec.from = *request.resource_version;
  }
  return spec;
}

}  // namespace

void AddWarnings(const TypeForm& form, http::HeaderList& headers) {
  std::string_view rest = form.warning;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    headers.Add("Warning", rest.substr(0, end));
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
}

Async<std::optional<ForwardReason>> ServeRead(Service& service, Exchange& exchange,
                                              const ReadRequest& request,
                                              std::shared_ptr<const Authorized> authorized,
                                              std::shared_ptr<Replica> replica) {
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
  if (!ScopeFits(request, state->snapshot.form->type)) co_return ForwardReason::kPath;
  if (request.verb == ReadVerb::kGet) {
    co_await ServeGet(exchange, request, state->snapshot);
  } else if (request.verb == ReadVerb::kList) {
    co_await ServeList(service, exchange, request, std::move(state->snapshot));
  } else {
    WatchSpec spec = WatchSpecOf(request, state->snapshot);
    state.reset();
    co_await ServeWatch(service, exchange, request, std::move(authorized), std::move(replica),
                        std::move(spec));
  }
  co_return std::nullopt;
}

}  // namespace weir
