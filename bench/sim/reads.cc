// LIST, WATCH and GET by upstream's rules (api-semantics 2 to 4).
#include <algorithm>

#include "bench/sim/api.h"

namespace weir::sim {
namespace {

constexpr int64_t kMinWatchSeconds = 1800;  // --min-request-timeout of kube-apiserver.

// What a LIST reads: the state, and what it calls itself.
struct ListSource {
  Snapshot snapshot;
  int64_t limit = 0;
  std::string start_key;
};

std::variant<ListSource, ApiError> ExactSource(const Collection& collection, Revision revision,
                                               const ListOptions& options) {
  const auto snapshot = collection.At(revision);
  if (snapshot) {
    return ListSource{*snapshot, options.limit, options.token ? options.token->start_key : ""};
  }
  if (options.token) return ApiError::ContinueExpired(options.token->Refreshed());
  return ApiError::ListExpired();
}

// At RV 0 a watch cache ignores the limit; `events` have none.
int64_t LimitAt(const Collection& collection, const ListOptions& options) {
  const bool any = options.resource_version == "0";
  return any && collection.spec().id.resource != "events" ? 0 : options.limit;
}

std::variant<ListSource, ApiError> SourceOf(const Collection& collection,
                                            const ListOptions& options) {
  if (options.token) {
    if (options.token->revision > 0) {
      return ExactSource(collection, Revision{static_cast<uint64_t>(options.token->revision)},
                         options);
    }
    return ListSource{collection.Now(), options.limit, options.token->start_key};
  }
  const bool some = options.revision && options.revision->value > 0;
  // A limit with a revision and no match is "exact", by an old rule.
  const bool legacy = some && options.match == ListOptions::Match::kUnset && options.limit > 0;
  if (options.match == ListOptions::Match::kExact || legacy) {
    return ExactSource(collection, *options.revision, options);
  }
  return ListSource{collection.Now(), LimitAt(collection, options), ""};
}

}  // namespace

// Consistent reads move the type's own revision to the store's, as a quorum read does upstream.
Answer Api::List(const Call& call, Collection& collection) {
  auto parsed = ParseListOptions(call.query, false);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return ReplyOf(*error);
  const auto& options = std::get<ListOptions>(parsed);
  std::string namespace_name = collection.spec().namespaced ? call.info.namespace_ : "";
  auto selection =
      SelectionOf(collection.spec(), std::move(namespace_name), options.labels, options.fields);
  if (!selection.ok()) return ReplyOf(BadRequest(std::string(Message(selection.status()))));

  const bool continued = options.token && options.token->revision > 0;
  if (!continued && options.resource_version != "0") {
    const Revision wanted = options.revision.value_or(store_.revision());
    if (wanted > store_.revision()) {
      const uint64_t current = store_.revision().value;
      Answer answer = ReplyOf(ApiError::TooLargeResourceVersion(wanted.value, current));
      if (!call.waited) answer.wait_for = wanted;
      return answer;
    }
    if (!options.revision || wanted > collection.cache_revision())
      collection.Advance(store_.revision());
  }
  auto source = SourceOf(collection, options);
  if (const auto* error = std::get_if<ApiError>(&source)) return ReplyOf(*error);
  auto& from = std::get<ListSource>(source);
  ListSpec spec;
  spec.filter = *std::move(selection);
  spec.limit = from.limit;
  spec.start_key = std::move(from.start_key);
  spec.key_is_namespaced = collection.spec().namespaced && call.info.namespace_.empty();
  spec.revision = from.snapshot.revision;
  return std::make_unique<ListCursor>(std::move(from.snapshot), std::move(spec));
}

Answer Api::StartWatch(const Call& call, std::shared_ptr<Collection> collection) {
  auto parsed = ParseListOptions(call.query, true);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return ReplyOf(*error);
  const auto& options = std::get<ListOptions>(parsed);
  std::string namespace_name = collection->spec().namespaced ? call.info.namespace_ : "";
  auto selection =
      SelectionOf(collection->spec(), std::move(namespace_name), options.labels, options.fields);
  if (!selection.ok()) return ReplyOf(BadRequest(std::string(Message(selection.status()))));

  const bool now_or_any = options.resource_version.empty() || options.resource_version == "0";
  WatchOptions watch;
  watch.initial = options.initial_events.value_or(call.info.watch_path && now_or_any);
  watch.bookmarks = options.bookmarks;
  watch.end_mark = options.bookmarks && options.initial_events.value_or(false);
  watch.begin = call.now;
  const int64_t seconds = options.timeout_seconds.value_or(0);
  watch.deadline = call.now + std::chrono::seconds(std::clamp<int64_t>(seconds, 0, 366 * 86400));
  if (seconds == 0) {
    watch.deadline += std::chrono::seconds(
        kMinWatchSeconds + static_cast<int64_t>(random_() % uint64_t{kMinWatchSeconds}));
  }
  if (options.resource_version.empty()) collection->Advance(store_.revision());
  watch.from = now_or_any ? collection->cache_revision() : *options.revision;

  const bool too_new = watch.initial && !now_or_any && *options.revision > store_.revision();
  if (too_new && !call.waited) {
    Answer answer = Reply();
    answer.wait_for = *options.revision;
    return answer;
  }
  if (watch.initial && !now_or_any && *options.revision > collection->cache_revision()) {
    collection->Advance(store_.revision());
  }
  watch.selection = too_new ? Filter() : *std::move(selection);
  auto stream = std::make_unique<Watch>(std::move(collection), std::move(watch));
  if (too_new) {
    stream->Fail(
        ApiError::TooLargeResourceVersion(options.revision->value, store_.revision().value));
  }
  return stream;
}

Answer Api::Get(const Call& call, Collection& collection) {
  auto parsed = ParseListOptions(Query(""), true);
  if (!call.query.Text("resourceVersion").empty() && call.query.Text("resourceVersion") != "0") {
    const std::string revision =
        "resourceVersion=" + std::string(call.query.Text("resourceVersion"));
    parsed = ParseListOptions(Query(revision), true);
  }
  if (const auto* error = std::get_if<ApiError>(&parsed)) return ReplyOf(*error);
  const auto& options = std::get<ListOptions>(parsed);
  if (options.revision && *options.revision > store_.revision()) {
    Answer answer = ReplyOf(
        ApiError::TooLargeResourceVersion(options.revision->value, store_.revision().value));
    if (!call.waited) answer.wait_for = *options.revision;
    return answer;
  }
  const std::string key =
      collection.spec().namespaced ? call.info.namespace_ + "/" + call.info.name : call.info.name;
  const ObjectRef object = collection.tree().Find(key);
  if (!object) return ReplyOf(ApiError::NotFound(collection.spec().id, call.info.name));
  return JsonReply(WholeObject(collection, *object));
}

}  // namespace weir::sim
