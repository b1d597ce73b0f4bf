#include "proxy/upstream/health_check.h"

#include <algorithm>
#include <exception>
#include <string>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/config/version.h"
#include "proxy/net/dial.h"
#include "proxy/net/signal.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {
namespace {

using Health = Endpoints::Health;

// Together below a second: silence right after an answer, and two times none.
constexpr Duration kInterval = std::chrono::milliseconds(250);
constexpr Duration kTimeout = std::chrono::milliseconds(350);
constexpr int kSilent = 2;
// Without what waits for etcd, which is no other server's to have: a pause of it would make all of
// them silent together.
constexpr const char* kPath = "/readyz?exclude=etcd&exclude=etcd-readiness";
// A worker that is so late itself has nothing to say about others.
constexpr Duration kLate = std::chrono::milliseconds(100);
// One that sends events or answers meanwhile is slow, not silent: to leave it would only give its
// work to others that are as busy.
constexpr Duration kHeardLately = 2 * kTimeout - std::chrono::milliseconds(50);

// The status of /readyz. Keeps the connection in `connection` where it can be used again.
Async<StatusOr<int>> AskReady(Worker& worker, Upstream& upstream, size_t endpoint,
                              std::unique_ptr<UpstreamConnection>& connection) {
  const TimePoint deadline = worker.Now() + kTimeout;
  std::unique_ptr<UpstreamConnection> used = std::move(connection);
  if (used != nullptr && !used->Alive()) used.reset();
  if (used == nullptr) {
    auto opened = co_await UpstreamConnection::Open(worker, upstream, CredentialClass::kOwn,
                                                    endpoint, deadline);
    if (!opened.ok()) co_return opened.status();
    used = std::move(*opened);
  }
  http::RequestHead head;
  head.method = "GET";
  head.target = kPath;
  head.headers.Add("Accept", "*/*");
  head.headers.Add("User-Agent", "weir/" + std::string(Version()));
  if (const std::string token = upstream.OwnAuthorization(); !token.empty())
    head.headers.Add("Authorization", token);
  used->SetDeadline(deadline);
  WEIR_CO_TRY(co_await used->SendHead(std::move(head)));
  constexpr Duration kLeast = std::chrono::milliseconds(1);  // Zero would be no bound.
  const auto answer = co_await used->ReadHead("GET", std::max(deadline - worker.Now(), kLeast));
  if (!answer.ok()) co_return answer.status();
  const int status = answer->status;
  used->SetDeadline(worker.Now() + kTimeout);
  while (!used->body_done()) {
    const StatusOr<std::string_view> piece = co_await used->ReadBody();
    if (!piece.ok()) co_return status;
    if (piece->empty()) break;
  }
  used->SetDeadline(TimePoint::max());
  if (used->reusable()) connection = std::move(used);
  co_return status;
}

void Say(const Upstream& upstream, size_t endpoint, Health health, std::string_view why) {
  const bool good = health == Health::kReady;
  Log(good ? LogLevel::kInfo : LogLevel::kWarning, "API server changed",
      {{"server", upstream.authority(endpoint)}, {"health", ToString(health)}, {"why", why}});
}

Async<void> CheckFor(Worker& worker, std::shared_ptr<Upstream> upstream, size_t endpoint) {
  Endpoints& endpoints = upstream->endpoints();
  std::unique_ptr<UpstreamConnection> connection;
  Signal never(worker);
  int failures = 0;
  for (;;) {
    const TimePoint asked = worker.Now();
    StatusOr<int> status = Internal("not asked");
    try {
      status = co_await AskReady(worker, *upstream, endpoint, connection);
    } catch (const std::exception& failure) {
      status = Internal(failure.what());
    }
    // Of a name server's silence it is not to blame either.
    const bool late = !status.ok() &&
                      (worker.Now() - asked > kTimeout + kLate || IsLookupFailure(status.status()));
    Health health = endpoints.health(endpoint);
    std::string why;
    if (status.ok()) {
      failures = 0;
      endpoints.SetStranger(endpoint, *status == 401);
      // A 403 is an answer too: not everybody may see /readyz. One that does not know Weir is of no
      // use to it.
      health = *status < 500 && *status != 401 ? Health::kReady : Health::kNotReady;
      why = "/readyz answers " + std::to_string(*status);
    } else if (!late && ++failures >= kSilent &&
               worker.Now() - endpoints.heard(endpoint) >= kHeardLately &&
               endpoints.AnotherAnswers(endpoint, worker.Now() - kHeardLately)) {
      health = Health::kDead;
      why = Message(status.status());
    }
    if (health != endpoints.health(endpoint)) {
      Say(*upstream, endpoint, health, why);
      endpoints.SetHealth(endpoint, health);
    }
    if (status.ok() || late || failures >= kSilent)
      static_cast<void>(co_await never.Wait(worker.Now() + kInterval));
  }
}

}  // namespace

void StartHealthChecks(Worker& worker, const std::shared_ptr<Upstream>& upstream) {
  const size_t count = upstream->endpoints().count();
  if (count < 2) return;
  for (size_t i = 0; i < count; ++i) worker.Spawn(CheckFor(worker, upstream, i));
}

}  // namespace weir
