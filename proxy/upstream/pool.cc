#include "proxy/upstream/pool.h"

#include <utility>

namespace weir {

namespace {
constexpr Duration kIdle = std::chrono::seconds(60);  // Upstream closes idle connections after 90.
constexpr Duration kConnectTimeout = std::chrono::seconds(10);
// Where there is another to turn to: a host that is lost answers nothing at all.
constexpr Duration kConnectElsewhere = std::chrono::seconds(2);
}  // namespace

UpstreamPool::UpstreamPool(Worker& worker, std::shared_ptr<Upstream> upstream,
                           const Http2Pool::Options& http2)
    : worker_(worker), upstream_(std::move(upstream)), http2_(worker_, *upstream_, http2) {}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::Close() {
  closed_ = true;
  for (auto& idle : idle_) idle.clear();
  http2_.Close();
  worker_.Cancel(std::exchange(sweep_, 0));
}

std::unique_ptr<UpstreamConnection> UpstreamPool::TakeIdle(CredentialClass credential,
                                                           size_t endpoint) {
  auto& idle = idle_[static_cast<size_t>(credential)];
  for (size_t i = idle.size(); i > 0; --i) {
    if (idle[i - 1]->endpoint() != endpoint) continue;
    std::unique_ptr<UpstreamConnection> connection = std::move(idle[i - 1]);
    idle.erase(idle.begin() + static_cast<ptrdiff_t>(i - 1));
    if (connection->Alive()) return connection;
  }
  return nullptr;
}

Duration UpstreamPool::ConnectTimeout() const {
  return upstream_->endpoints().count() > 1 ? kConnectElsewhere : kConnectTimeout;
}

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> UpstreamPool::AcquireAt(
    size_t endpoint, CredentialClass credential, bool fresh, Endpoints::Request busy) {
  if (!fresh) {
    if (auto connection = TakeIdle(credential, endpoint)) {
      connection->busy = std::move(busy);
      co_return connection;
    }
  }
  StatusOr<std::unique_ptr<UpstreamConnection>> connection = co_await UpstreamConnection::Open(
      worker_, *upstream_, credential, endpoint, worker_.Now() + ConnectTimeout());
  if (connection.ok()) (*connection)->busy = std::move(busy);
  co_return connection;
}

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> UpstreamPool::Acquire(
    CredentialClass credential, bool fresh) {
  Endpoints& endpoints = upstream_->endpoints();
  Status failure = Unavailable("no endpoint");
  for (const size_t endpoint : endpoints.Order(worker_.Now())) {
    // Before it is there, so that those who come meanwhile see it.
    Endpoints::Request busy = endpoints.Begin(endpoint);
    StatusOr<std::unique_ptr<UpstreamConnection>> connection =
        co_await AcquireAt(endpoint, credential, fresh, std::move(busy));
    if (connection.ok()) co_return connection;
    failure = connection.status();
  }
  co_return failure;
}

Async<StatusOr<std::unique_ptr<UpstreamExchange>>> UpstreamPool::Begin(Wanted wanted) {
  Endpoints& endpoints = upstream_->endpoints();
  const bool fresh = wanted.alone || wanted.since != TimePoint();
  Status failure = Unavailable("no endpoint");
  for (const size_t endpoint : endpoints.Order(worker_.Now())) {
    if (wanted.http2 && http2_.Speaks(endpoint)) {
      Http2Pool::Wanted place;
      place.credential = wanted.credential;
      place.endpoint = endpoint;
      place.bearer = wanted.bearer;
      place.since = wanted.since;
      place.alone = wanted.alone;
      place.timeout = ConnectTimeout();
      place.busy = endpoints.Begin(endpoint);
      StatusOr<std::unique_ptr<UpstreamExchange>> begun = co_await http2_.Begin(std::move(place));
      if (!begun.ok()) failure = begun.status();
      if (!begun.ok()) continue;
      if (*begun != nullptr) co_return begun;
    }
    Endpoints::Request busy = endpoints.Begin(endpoint);
    StatusOr<std::unique_ptr<UpstreamConnection>> connection =
        co_await AcquireAt(endpoint, wanted.credential, fresh, std::move(busy));
    if (connection.ok()) co_return *std::move(connection);
    failure = connection.status();
  }
  co_return failure;
}

void UpstreamPool::Finish(std::unique_ptr<UpstreamExchange> exchange) {
  auto* const connection = dynamic_cast<UpstreamConnection*>(exchange.get());
  if (connection == nullptr) return;
  static_cast<void>(exchange.release());
  Release(std::unique_ptr<UpstreamConnection>(connection));
}

void UpstreamPool::Release(std::unique_ptr<UpstreamConnection> connection) {
  if (closed_ || !connection->reusable()) return;
  auto& idle = idle_[static_cast<size_t>(connection->credential())];
  connection->idle_since = worker_.Now();
  connection->busy = Endpoints::Request();
  idle.push_back(std::move(connection));
  if (idle.size() > kMaxIdle) idle.pop_front();
  if (sweep_ == 0) sweep_ = worker_.After(kIdle, [this] { Sweep(); });
}

void UpstreamPool::Sweep() {
  sweep_ = 0;
  bool any = false;
  for (auto& idle : idle_) {
    while (!idle.empty() && idle.front()->idle_since + kIdle <= worker_.Now()) idle.pop_front();
    any = any || !idle.empty();
  }
  if (any) sweep_ = worker_.After(kIdle / 4, [this] { Sweep(); });
}

}  // namespace weir
