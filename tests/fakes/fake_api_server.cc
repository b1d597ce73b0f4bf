#include "tests/fakes/fake_api_server.h"

#include <algorithm>

#include <fmt/format.h>

#include "protocol/k8s/proto_frame.h"
#include "tests/fakes/fake_exchange.h"

namespace weir {

class FakeApiServer::Handle final : public ApiCall {
 public:
  explicit Handle(ExchangeRef exchange) : exchange_(std::move(exchange)) {}
  ~Handle() override {
    exchange_->sink = nullptr;
    exchange_->open = false;
  }

 private:
  const ExchangeRef exchange_;
};

class FakeApiServer::Connection final : public ListWatcher {
 public:
  Connection(FakeApiServer& server, Executor& executor) : server_(server), executor_(executor) {}

  std::unique_ptr<ApiCall> Get(ApiRequest request, ApiResponseSink& sink) override {
    server_.requests_.push_back(request.target);
    auto exchange = std::make_shared<Exchange>();
    exchange->request = std::move(request);
    exchange->encoding = EncodingOf(exchange->request.accept);
    exchange->sink = &sink;
    exchange->executor = &executor_;
    exchange->endpoint = endpoint_ % server_.endpoints_.size();
    server_.Later(exchange, server_.Latency(),
                  [s = &server_](const ExchangeRef& e) { s->Arrive(e); });
    return std::make_unique<Handle>(std::move(exchange));
  }

  void SwitchEndpoint() override { ++endpoint_; }

 private:
  FakeApiServer& server_;
  Executor& executor_;
  size_t endpoint_ = 0;
};

FakeApiServer::FakeApiServer(uint64_t seed) : random_(seed), now_([] { return TimePoint(); }) {}
FakeApiServer::~FakeApiServer() = default;

std::unique_ptr<ListWatcher> FakeApiServer::Connect(Executor& executor) {
  now_ = [&executor] { return executor.Now(); };
  return std::make_unique<Connection>(*this, executor);
}

void FakeApiServer::SetEndpointLags(std::vector<Duration> lags) {
  endpoints_.clear();
  for (const Duration lag : lags) endpoints_.push_back({lag, 0});
}

// ---- State

void FakeApiServer::Serve(const ResourceType& type, bool custom) {
  Collection& collection = collections_[type.id];
  collection.type = type;
  collection.custom = custom;
}

void FakeApiServer::Unserve(const ResourceId& id) {
  for (const auto& weak : streams_) {
    const ExchangeRef exchange = weak.lock();
    if (exchange && exchange->collection == &At(id)) End(exchange, true);
  }
  collections_.erase(id);
}

FakeApiServer::Collection& FakeApiServer::At(const ResourceId& id) { return collections_.at(id); }
const FakeApiServer::Collection& FakeApiServer::At(const ResourceId& id) const {
  return collections_.at(id);
}

const std::vector<FakeApiServer::Change>& FakeApiServer::history(const ResourceId& id) const {
  return At(id).history;
}
const FakeApiServer::State& FakeApiServer::state(const ResourceId& id) const {
  return At(id).state;
}

FakeApiServer::State FakeApiServer::StateAt(const ResourceId& id, Revision revision) const {
  State state;
  for (const Change& change : At(id).history) {
    if (change.after.revision > revision) break;
    if (change.type == Change::Type::kDeleted) {
      state.erase(change.after.key());
    } else {
      state[change.after.key()] = change.after;
    }
  }
  return state;
}

Revision FakeApiServer::Touch() {
  clock_.emplace_back(now_(), ++revision_);
  return Revision{revision_};
}

void FakeApiServer::Record(Collection& collection, Change change) {
  change.when = now_();
  collection.history.push_back(std::move(change));
}

Revision FakeApiServer::Put(const ResourceId& id, std::string namespace_name, std::string name,
                            Fields fields) {
  Collection& collection = At(id);
  const Revision revision = Touch();
  Stored stored{std::move(namespace_name), std::move(name), "", revision, std::move(fields)};
  const auto found = collection.state.find(stored.key());
  Change change;
  if (found == collection.state.end()) {
    stored.uid = fmt::format("uid-{}", ++last_uid_);
  } else {
    stored.uid = found->second.uid;
    change.type = Change::Type::kModified;
    change.before = found->second;
  }
  change.after = stored;
  collection.state[stored.key()] = std::move(stored);
  Record(collection, std::move(change));
  AfterWrite(collection);
  return revision;
}

Revision FakeApiServer::Delete(const ResourceId& id, std::string_view namespace_name,
                               std::string_view name) {
  const std::string key =
      namespace_name.empty() ? std::string(name) : fmt::format("{}/{}", namespace_name, name);
  return DeleteTogether(id, {key});
}

Revision FakeApiServer::DeleteTogether(const ResourceId& id, const std::vector<std::string>& keys) {
  Collection& collection = At(id);
  const Revision revision = Touch();
  for (const std::string& key : keys) {
    const auto found = collection.state.find(key);
    if (found == collection.state.end()) continue;
    Change change;
    change.type = Change::Type::kDeleted;
    change.before = found->second;
    change.after = found->second;
    change.after.revision = revision;
    collection.state.erase(found);
    Record(collection, std::move(change));
  }
  AfterWrite(collection);
  return revision;
}

void FakeApiServer::AfterWrite(const Collection& collection) {
  std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : streams_) {
    const ExchangeRef exchange = weak.lock();
    if (exchange && exchange->open && exchange->collection == &collection) {
      SchedulePump(exchange, endpoints_[exchange->endpoint % endpoints_.size()].lag + Latency());
    }
  }
}

void FakeApiServer::Compact(const ResourceId& id) {
  At(id).compacted = revision_;
  pages_.clear();
}

void FakeApiServer::Restore(Revision revision) {
  ++restores_;
  CutStreams(false);
  pages_.clear();
  for (auto& [id, collection] : collections_) {
    collection.state = StateAt(id, revision);
    std::erase_if(collection.history,
                  [&](const Change& change) { return change.after.revision > revision; });
    collection.compacted = std::min(collection.compacted, revision.value);
  }
  std::erase_if(clock_, [&](const auto& entry) { return entry.second > revision.value; });
  revision_ = revision.value;
  for (Endpoint& endpoint : endpoints_) endpoint.seen = 0;
}

uint64_t FakeApiServer::SeenBy(size_t endpoint, TimePoint now) const {
  const Endpoint& at = endpoints_[endpoint % endpoints_.size()];
  if (at.lag == Duration(0)) return revision_;
  const auto newer = std::find_if(clock_.rbegin(), clock_.rend(),
                                  [&](const auto& entry) { return entry.first + at.lag <= now; });
  const uint64_t by_time = newer == clock_.rend() ? 0 : newer->second;
  return std::max(at.seen, by_time);
}

// ---- Scripted faults

void FakeApiServer::FailNext(int count, int status, int retry_after_seconds) {
  fail_next_ = count;
  fail_status_ = status;
  fail_retry_after_ = retry_after_seconds;
}

void FakeApiServer::AnswerAlways(const ResourceId& id, int status) { At(id).always = status; }

void FakeApiServer::CutStreams(bool mid_frame) {
  for (const auto& weak : std::vector(streams_)) {
    const ExchangeRef exchange = weak.lock();
    if (!exchange || !exchange->open) continue;
    if (mid_frame) {
      const std::string frame = BookmarkOf(*exchange->collection, revision_, exchange->encoding);
      Send(exchange, frame.substr(0, frame.size() / 2));
    }
    End(exchange, false);
  }
}

void FakeApiServer::EndStreams() {
  for (const auto& weak : std::vector(streams_)) {
    const ExchangeRef exchange = weak.lock();
    if (exchange && exchange->open) End(exchange, true);
  }
}

void FakeApiServer::RepeatLastEvent(const ResourceId& id) {
  SendRaw(id, FrameOf(At(id), At(id).history.back(), Encoding::kJson));
}

void FakeApiServer::SendRaw(const ResourceId& id, std::string bytes) {
  for (const auto& weak : std::vector(streams_)) {
    const ExchangeRef exchange = weak.lock();
    if (exchange && exchange->open && exchange->collection == &At(id)) Send(exchange, bytes);
  }
}

// ---- Answers

void FakeApiServer::Later(const ExchangeRef& exchange, Duration delay,
                          std::function<void(const ExchangeRef&)> task) {
  auto run = [exchange, task = std::move(task)] {
    if (exchange->sink != nullptr) task(exchange);
  };
  if (delay <= Duration(0)) {
    exchange->executor->Post(std::move(run));
  } else {
    exchange->executor->After(delay, std::move(run));
  }
}

void FakeApiServer::Arrive(const ExchangeRef& exchange) {
  if (AnswerFault(exchange)) return;
  const std::string_view target = exchange->request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  for (auto& [id, collection] : collections_) {
    if (id.CollectionPath() != path) continue;
    if (collection.always != 0) return AnswerError(exchange, collection.always, 0);
    if (QueryValue(target, "watch") == "true") return AnswerWatch(exchange, collection);
    return AnswerList(exchange, collection);
  }
  AnswerDiscovery(exchange);
}

bool FakeApiServer::AnswerFault(const ExchangeRef& exchange) {
  const bool scripted = fail_next_ > 0;
  if (scripted) --fail_next_;
  if (hang_ || Chance(chaos_.hang)) {
    Later(exchange, exchange->request.head_timeout,
          [](const ExchangeRef& e) { e->sink->OnEnd(DeadlineExceeded("no answer")); });
    return true;
  }
  if ((scripted && fail_status_ == 0) || Chance(chaos_.no_connection)) {
    exchange->sink->OnEnd(Unavailable("connection refused"));
    return true;
  }
  if (scripted) {
    AnswerError(exchange, fail_status_, fail_retry_after_);
    return true;
  }
  if (!Chance(chaos_.error)) return false;
  constexpr int kCodes[] = {429, 500, 503};
  AnswerError(exchange, kCodes[random_() % 3], Chance(0.3) ? 1 : 0);
  return true;
}

void FakeApiServer::AnswerError(const ExchangeRef& exchange, int status, int retry_after_seconds) {
  ApiResponseHead head = Head(status, exchange->encoding);
  head.retry_after_seconds = retry_after_seconds;
  const ApiError error = Error(status, "Fault", "a fault of the test");
  Reply(exchange, head, IsProtobuf(exchange->encoding) ? ProtoStatus(error) : error.ToJson());
}

// What was read is what arrives, however much later; unless etcd is restored meanwhile, which
// breaks connections.
void FakeApiServer::Reply(const ExchangeRef& exchange, ApiResponseHead head, std::string body) {
  const bool cut = Chance(chaos_.cut);
  if (cut) body.resize(random_() % (body.size() + 1));
  Later(exchange, Latency(),
        [this, head = std::move(head), body = std::move(body), cut,
         restores = restores_](const ExchangeRef& e) {
          if (restores != restores_) return e->sink->OnEnd(Unavailable("connection reset"));
          e->sink->OnHead(head);
          Send(e, body);
          Later(e, Duration(0), [cut](const ExchangeRef& last) {
            last->sink->OnEnd(cut ? Unavailable("connection reset") : OkStatus());
          });
        });
}

void FakeApiServer::AnswerDiscovery(const ExchangeRef& exchange) {
  const std::string path = exchange->request.target;
  std::map<std::string, std::vector<ResourceType>> by_version;  // "v1", "apps/v1".
  for (const auto& [id, collection] : collections_)
    by_version[id.ApiVersion()].push_back(collection.type);
  std::string body;
  if (path == "/api") {
    body = R"({"kind":"APIVersions","versions":["v1"]})";
  } else if (path == "/version") {
    body = fmt::format(R"({{"major":"1","minor":"37","gitVersion":"{}"}})", version_);
  } else if (path == "/apis") {
    for (const auto& [name, types] : by_version) {
      if (types.front().id.group.empty()) continue;
      body += fmt::format(
          R"({}{{"name":"{}","versions":[{{"groupVersion":"{}","version":"{}"}}]}})",
          body.empty() ? "" : ",", types.front().id.group, name, types.front().id.version);
    }
    body = fmt::format(R"({{"kind":"APIGroupList","apiVersion":"v1","groups":[{}]}})", body);
  } else {
    const std::string name = path.substr(path.starts_with("/api/") ? 5 : 6);
    if (!by_version.contains(name)) return AnswerError(exchange, 404, 0);
    for (const ResourceType& type : by_version[name]) {
      body += fmt::format(
          R"({0}{{"name":"{1}","namespaced":{2},"kind":"{3}","verbs":["get","list"{4}]}},)"
          R"({{"name":"{1}/status","namespaced":{2},"kind":"{3}","verbs":["get"]}})",
          body.empty() ? "" : ",", type.id.resource, type.namespaced, type.kind,
          type.can_watch ? R"(,"watch")" : "");
    }
    body = fmt::format(R"({{"kind":"APIResourceList","groupVersion":"{}","resources":[{}]}})", name,
                       body);
  }
  Reply(exchange, Head(200), body + "\n");
}

void FakeApiServer::AnswerList(const ExchangeRef& exchange, Collection& collection) {
  const std::string_view target = exchange->request.target;
  Page page;
  if (const std::string token = QueryValue(target, "continue"); !token.empty()) {
    const auto found = pages_.find(token);
    if (found == pages_.end()) return AnswerError(exchange, 410, 0);
    page = found->second;
  } else {
    page.revision = revision_;
    for (const auto& [key, stored] : collection.state) page.rest.push_back(stored);
    Endpoint& endpoint = endpoints_[exchange->endpoint % endpoints_.size()];
    endpoint.seen = std::max(endpoint.seen, revision_);
    // What the read has made visible goes out on the streams too.
    AfterWrite(collection);
  }
  const uint64_t limit = QueryNumber(target, "limit");
  std::string token;
  const size_t count = limit == 0 ? page.rest.size() : std::min<size_t>(limit, page.rest.size());
  const auto end_of_page = page.rest.begin() + static_cast<std::ptrdiff_t>(count);
  if (count < page.rest.size()) {
    token = fmt::format("page{}", ++last_page_);
    pages_[token] = {{end_of_page, page.rest.end()}, page.revision};
  }
  page.rest.erase(end_of_page, page.rest.end());
  const std::string revision =
      revision_text_.empty() ? std::to_string(page.revision) : revision_text_;
  ApiResponseHead head = Head(200, exchange->encoding);
  head.warning = warning_;
  Reply(exchange, std::move(head),
        ListOf(collection, page.rest, token, revision, exchange->encoding));
}

bool FakeApiServer::Chance(double probability) {
  return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

Duration FakeApiServer::Latency() {
  if (chaos_.latency <= Duration(0)) return Duration(0);
  return Duration(std::uniform_int_distribution<int64_t>(0, chaos_.latency.count())(random_));
}

size_t FakeApiServer::Count(std::string_view part_of_target) const {
  return static_cast<size_t>(std::count_if(
      requests_.begin(), requests_.end(),
      [&](const std::string& target) { return target.find(part_of_target) != std::string::npos; }));
}

size_t FakeApiServer::open_streams() const {
  return static_cast<size_t>(std::count_if(streams_.begin(), streams_.end(), [](const auto& weak) {
    const ExchangeRef exchange = weak.lock();
    return exchange && exchange->open && exchange->sink != nullptr;
  }));
}

}  // namespace weir
