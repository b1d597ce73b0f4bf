#include "proxy/upstream/http_list_watcher.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/admin/metrics.h"
#include "proxy/config/version.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(10);
// What is readable at once goes to the feed at once: one batch, one fan-out.
constexpr size_t kBatchBytes = 256 * 1024;

// Shared by the list-watcher and its calls, any of which may die first.
struct Shared {
  Shared(Worker& w, std::shared_ptr<Upstream> u) : worker(w), upstream(std::move(u)) {}
  Worker& worker;
  const std::shared_ptr<Upstream> upstream;
  size_t endpoint = 0;
  std::unique_ptr<UpstreamConnection> idle;
};

struct Call {
  std::shared_ptr<Shared> shared;
  ApiRequest request;
  ApiResponseSink* sink;  // Null once the call was given up.
  UpstreamConnection* connection = nullptr;
};

// While it lives the call can abort the connection: not longer than the coroutine that owns that,
// which may be destroyed with the worker.
struct Connected {
  Connected(Call& c, UpstreamConnection& connection) : call(c) { call.connection = &connection; }
  ~Connected() { call.connection = nullptr; }
  Connected(const Connected&) = delete;
  Connected& operator=(const Connected&) = delete;
  Call& call;
};

void Count(const std::string& target) {
  Metrics& metrics = ProcessMetrics();
  if (target.find("watch=true") != std::string::npos) {
    metrics.upstream_watches.Add();
  } else if (target.ends_with("limit=1")) {
    metrics.upstream_probes.Add();
  } else {
    metrics.upstream_lists.Add();
  }
}

ApiResponseHead HeadOf(const http::ResponseHead& response) {
  ApiResponseHead head;
  head.status = response.status;
  if (const std::string* type = response.headers.First("Content-Type")) head.content_type = *type;
  if (const std::string* retry = response.headers.First("Retry-After")) {
    std::from_chars(retry->data(), retry->data() + retry->size(), head.retry_after_seconds);
  }
  for (const http::Header& line : response.headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, "Warning")) continue;
    if (!head.warning.empty()) head.warning += '\n';
    head.warning += line.value;
  }
  return head;
}

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> Connect(std::shared_ptr<Call> call) {
  Shared& shared = *call->shared;
  std::unique_ptr<UpstreamConnection> idle = std::move(shared.idle);
  if (idle != nullptr && idle->Alive()) co_return idle;
  Endpoints& endpoints = shared.upstream->endpoints();
  if (endpoints.health(shared.endpoint) == Endpoints::Health::kDead)
    shared.endpoint = endpoints.OtherThan(shared.endpoint, shared.worker.Now());
  const Duration timeout = std::min(kConnectTimeout, call->request.head_timeout);
  co_return co_await UpstreamConnection::Open(shared.worker, *shared.upstream,
                                              CredentialClass::kOwn, shared.endpoint,
                                              shared.worker.Now() + timeout);
}

Async<Status> ReadAnswer(std::shared_ptr<Call> call, UpstreamConnection& connection) {
  Worker& worker = call->shared->worker;
  std::string batch;
  for (;;) {
    const Duration stall = call->request.stall_timeout;
    connection.SetDeadline(stall == Duration(0) ? TimePoint::max() : worker.Now() + stall);
    StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    if (call->sink == nullptr) co_return Cancelled("given up");
    if (piece->empty()) co_return OkStatus();
    batch.assign(*piece);
    connection.Receive(kBatchBytes);
    while (batch.size() < kBatchBytes) {
      piece = connection.ReadBodyNow();
      if (!piece.ok() || piece->empty()) break;
      batch.append(*piece);
    }
    call->sink->OnBody(batch);
    if (call->sink == nullptr) co_return Cancelled("given up");
    if (batch.capacity() > kBatchBytes) std::string().swap(batch);
  }
}

Async<Status> Exchange(std::shared_ptr<Call> call) {
  Shared& shared = *call->shared;
  StatusOr<std::unique_ptr<UpstreamConnection>> opened = co_await Connect(call);
  if (!opened.ok()) co_return opened.status();
  if (call->sink == nullptr) co_return Cancelled("given up");
  UpstreamConnection& connection = **opened;
  const Connected connected(*call, connection);

  http::RequestHead head;
  head.method = "GET";
  head.target = call->request.target;
  head.headers.Add("Accept", call->request.accept);
  head.headers.Add("User-Agent", "weir/" + std::string(Version()));
  if (const std::string token = shared.upstream->OwnAuthorization(); !token.empty()) {
    head.headers.Add("Authorization", token);
  }
  Count(head.target);
  Status status = co_await connection.SendHead(std::move(head));
  if (status.ok()) {
    StatusOr<http::ResponseHead> response =
        co_await connection.ReadHead("GET", call->request.head_timeout);
    while (response.ok() && response->status < 200) {
      if (response->status == 101) co_return InvalidArgument("the API server switched protocols");
      response = co_await connection.ReadHead("GET", call->request.head_timeout);
    }
    status = response.status();
    if (status.ok() && call->sink != nullptr) {
      shared.upstream->ReportAnswer(Upstream::Own::kRead, response->status);
      if (response->status == 401) shared.upstream->DropToken();
      call->sink->OnHead(HeadOf(*response));
      if (call->sink != nullptr) status = co_await ReadAnswer(call, connection);
    }
  }
  if (status.ok() && connection.reusable()) {
    connection.SetDeadline(TimePoint::max());
    shared.idle = std::move(*opened);
  }
  co_return status;
}

Async<void> Run(std::shared_ptr<Call> call) {
  const Status status = co_await Exchange(call);
  ApiResponseSink* const sink = std::exchange(call->sink, nullptr);
  if (sink != nullptr) sink->OnEnd(status);
}

class HttpApiCall : public ApiCall {
 public:
  explicit HttpApiCall(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  ~HttpApiCall() override {
    call_->sink = nullptr;
    if (call_->connection != nullptr) call_->connection->Abort();
  }

 private:
  std::shared_ptr<Call> call_;
};

class HttpListWatcher : public ListWatcher {
 public:
  explicit HttpListWatcher(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::unique_ptr<ApiCall> Get(ApiRequest request, ApiResponseSink& sink) override {
    auto call = std::make_shared<Call>(Call{shared_, std::move(request), &sink});
    // Later, so that no sink is called inside Get().
    shared_->worker.Post([call] {
      if (call->sink != nullptr) call->shared->worker.Spawn(Run(call));
    });
    return std::make_unique<HttpApiCall>(std::move(call));
  }

  void SwitchEndpoint() override {
    shared_->endpoint =
        shared_->upstream->endpoints().OtherThan(shared_->endpoint, shared_->worker.Now());
    shared_->idle.reset();
  }

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<ListWatcher> MakeHttpListWatcher(Worker& worker,
                                                 std::shared_ptr<Upstream> upstream) {
  auto shared = std::make_shared<Shared>(worker, std::move(upstream));
  // Homes spread over the endpoints.
  shared->endpoint = worker.index() % shared->upstream->endpoints().count();
  return std::make_unique<HttpListWatcher>(std::move(shared));
}

}  // namespace weir
