#include "proxy/upstream/pool.h"

#include <utility>

namespace weir {

namespace {
constexpr Duration kIdle = std::chrono::seconds(60);  // Upstream closes idle connections after 90.
constexpr Duration kAvoid = std::chrono::seconds(1);
constexpr Duration kConnectTimeout = std::chrono::seconds(10);
}  // namespace

UpstreamPool::UpstreamPool(Worker& worker, std::shared_ptr<Upstream> upstream)
    : worker_(worker),
      upstream_(std::move(upstream)),
      failed_(upstream_->endpoints()),
      next_endpoint_(worker.index()) {}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::Close() {
  closed_ = true;
  for (auto& idle : idle_) idle.clear();
  worker_.Cancel(std::exchange(sweep_, 0));
}

std::unique_ptr<UpstreamConnection> UpstreamPool::TakeIdle(CredentialClass credential) {
  auto& idle = idle_[static_cast<size_t>(credential)];
  while (!idle.empty()) {
    std::unique_ptr<UpstreamConnection> connection = std::move(idle.back());
    idle.pop_back();
    if (connection->Alive()) return connection;
  }
  return nullptr;
}

Async<StatusOr<std::unique_ptr<UpstreamConnection>>> UpstreamPool::Acquire(
    CredentialClass credential, bool fresh) {
  if (!fresh) {
    if (auto connection = TakeIdle(credential)) co_return connection;
  }
  const TimePoint now = worker_.Now();
  std::vector<size_t> order, avoided;
  for (size_t i = 0; i < failed_.size(); ++i) {
    const size_t endpoint = (next_endpoint_ + i) % failed_.size();
    (failed_[endpoint] + kAvoid < now ? order : avoided).push_back(endpoint);
  }
  order.insert(order.end(), avoided.begin(), avoided.end());
  ++next_endpoint_;
  Status failure = Unavailable("no endpoint");
  for (const size_t endpoint : order) {
    StatusOr<std::unique_ptr<UpstreamConnection>> connection = co_await UpstreamConnection::Open(
        worker_, *upstream_, credential, endpoint, worker_.Now() + kConnectTimeout);
    if (connection.ok()) co_return connection;
    failed_[endpoint] = worker_.Now();
    failure = connection.status();
  }
  co_return failure;
}

void UpstreamPool::Release(std::unique_ptr<UpstreamConnection> connection) {
  if (closed_ || !connection->reusable()) return;
  auto& idle = idle_[static_cast<size_t>(connection->credential())];
  connection->idle_since = worker_.Now();
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
