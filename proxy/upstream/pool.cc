#include "proxy/upstream/pool.h"

#include <utility>

namespace weir {

namespace {
constexpr Duration kIdle = std::chrono::seconds(60);  // Upstream closes idle connections after 90.
constexpr Duration kConnectTimeout = std::chrono::seconds(10);
// Where there is another to turn to: a host that is lost answers nothing at all.
constexpr Duration kConnectElsewhere = std::chrono::seconds(2);
}  // namespace

UpstreamPool::UpstreamPool(Worker& worker, std::shared_ptr<Upstream> upstream)
    : worker_(worker), upstream_(std::move(upstream)) {}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::Close() {
  closed_ = true;
  for (auto& idle : idle_) idle.clear();
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

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> UpstreamPool::Acquire(
    CredentialClass credential, bool fresh) {
  Endpoints& endpoints = upstream_->endpoints();
  Status failure = Unavailable("no endpoint");
  for (const size_t endpoint : endpoints.Order(worker_.Now())) {
    // Before it is there, so that those who come meanwhile see it.
    Endpoints::Request busy = endpoints.Begin(endpoint);
    if (!fresh) {
      if (auto connection = TakeIdle(credential, endpoint)) {
        connection->busy = std::move(busy);
        co_return connection;
      }
    }
    const Duration timeout = endpoints.count() > 1 ? kConnectElsewhere : kConnectTimeout;
    StatusOr<std::unique_ptr<UpstreamConnection>> connection = co_await UpstreamConnection::Open(
        worker_, *upstream_, credential, endpoint, worker_.Now() + timeout);
    if (connection.ok()) {
      (*connection)->busy = std::move(busy);
      co_return connection;
    }
    failure = connection.status();
  }
  co_return failure;
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
