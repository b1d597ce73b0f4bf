#include "proxy/upstream/http2_pool.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "protocol/base/log.h"
#include "proxy/net/signal.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir {

namespace {

// Places may be taken by others while one who waited for them wakes up.
constexpr int kRounds = 8;

}  // namespace

// A connection that is being made, and who waits for it.
struct Http2Pool::Dialling {
  Group& group;
  const CredentialClass credential;
  const size_t endpoint;
  const bool alone;
  const TimePoint began;
  const TimePoint deadline;
  size_t waiting = 0;
  std::vector<std::shared_ptr<Signal>> waiters{};
  bool done = false;
  Status status{};
  std::shared_ptr<Http2ClientSession> session{};
  std::unique_ptr<UpstreamConnection> http1{};
};

Http2Pool::Http2Pool(Worker& worker, Upstream& upstream, const Options& options)
    : worker_(worker),
      upstream_(upstream),
      options_(options),
      groups_(kCredentialClasses * 2 * upstream.endpoints().count()),
      http1_until_(upstream.endpoints().count()) {}

Http2Pool::~Http2Pool() {
  for (Group& group : groups_)
    for (const auto& session : group.sessions) session->on_unusable = nullptr;
}

void Http2Pool::Close() {
  closed_ = true;
  for (Group& group : groups_) {
    for (const auto& session : std::exchange(group.sessions, {})) {
      session->on_unusable = nullptr;
      session->Retire();
    }
  }
}

bool Http2Pool::Speaks(size_t endpoint) const { return http1_until_[endpoint] <= worker_.Now(); }

Http2Pool::Group& Http2Pool::GroupOf(const Wanted& wanted) {
  const bool proven = wanted.credential != CredentialClass::kNone || tokens_->Has(wanted.bearer);
  const size_t credential = static_cast<size_t>(wanted.credential) * 2 + (proven ? 1 : 0);
  return groups_[credential * upstream_.endpoints().count() + wanted.endpoint];
}

std::shared_ptr<Http2ClientSession> Http2Pool::FindRoom(Group& group, TimePoint since) {
  for (size_t i = 0; i < group.sessions.size();) {
    const std::shared_ptr<Http2ClientSession> session = group.sessions[i];
    if (session->opened_at() < since) {
      ++i;
      continue;
    }
    session->Poll();
    if (!session->current()) session->Retire();
    if (session->HasRoom()) return session;
    if (session->usable()) ++i;  // Else it has left the group.
  }
  return nullptr;
}

void Http2Pool::Keep(Group& group, const std::shared_ptr<Http2ClientSession>& session) {
  if (closed_) return session->Retire();
  group.room = std::max<size_t>(session->room(), 1);
  group.sessions.push_back(session);
  session->on_unusable = [&group, gone = session.get()] {
    std::erase_if(group.sessions, [gone](const auto& each) { return each.get() == gone; });
  };
}

// Those who wait for a connection are no more than it will have places.
std::shared_ptr<Http2Pool::Dialling> Http2Pool::Join(Group& group, const Wanted& wanted) {
  std::shared_ptr<Dialling> dialling = group.dialling;
  const bool fits = !wanted.alone && dialling != nullptr && !dialling->done &&
                    dialling->began >= wanted.since && dialling->waiting < group.room;
  if (!fits) {
    const TimePoint now = worker_.Now();
    dialling.reset(new Dialling{group, wanted.credential, wanted.endpoint, wanted.alone, now,
                                now + wanted.timeout});
    if (!wanted.alone) group.dialling = dialling;
    worker_.Spawn(Dial(this, dialling));
  }
  ++dialling->waiting;
  return dialling;
}

Async<void> Http2Pool::Dial(Http2Pool* self, std::shared_ptr<Dialling> dialling) {
  try {
    dialling->status = co_await self->Open(*dialling);
  } catch (const std::exception& error) {
    dialling->status = Internal(error.what());
  }
  dialling->done = true;
  if (dialling->group.dialling == dialling) dialling->group.dialling.reset();
  for (const std::shared_ptr<Signal>& waiter : dialling->waiters) waiter->Notify();
}

Async<Status> Http2Pool::Open(Dialling& dialling) {
  const size_t endpoint = dialling.endpoint;
  StatusOr<OpenedUpstream> opened =
      co_await OpenUpstream(worker_, upstream_, dialling.credential, endpoint,
                            /*offer_http2=*/true, dialling.deadline);
  if (!opened.ok()) co_return opened.status();
  if (!opened->http2) {
    if (Speaks(endpoint)) {
      Log(LogLevel::kInfo,
          "The API server speaks HTTP/1.1 only: each forwarded request takes a "
          "connection of its own",
          {{"server", upstream_.authority(endpoint)}});
    }
    http1_until_[endpoint] = worker_.Now() + options_.http1_for;
    dialling.http1 = std::make_unique<UpstreamConnection>(*std::move(opened), upstream_,
                                                          dialling.credential, endpoint);
    co_return OkStatus();
  }
  const auto session = std::make_shared<Http2ClientSession>(*std::move(opened), upstream_, endpoint,
                                                            options_.session);
  worker_.Spawn(Http2ClientSession::Run(session));
  const Status ready = co_await session->AwaitReady(dialling.deadline);
  if (!ready.ok()) co_return ready;
  dialling.session = session;
  if (!dialling.alone) Keep(dialling.group, session);
  co_return OkStatus();
}

std::unique_ptr<UpstreamExchange> Http2Pool::StreamOn(std::shared_ptr<Http2ClientSession> session,
                                                      Wanted& wanted) {
  const bool learns = wanted.credential == CredentialClass::kNone && wanted.bearer != 0;
  auto stream = std::make_unique<Http2ClientStream>(std::move(session), learns ? tokens_ : nullptr,
                                                    wanted.bearer);
  stream->busy = std::move(wanted.busy);
  return stream;
}

Async<StatusOr<std::unique_ptr<UpstreamExchange>>> Http2Pool::Begin(Wanted wanted) {
  for (int round = 0; round < kRounds; ++round) {
    if (closed_) wanted.alone = true;
    Group& group = GroupOf(wanted);
    if (!wanted.alone) {
      if (std::shared_ptr<Http2ClientSession> session = FindRoom(group, wanted.since))
        co_return StreamOn(std::move(session), wanted);
    }
    const std::shared_ptr<Dialling> dialling = Join(group, wanted);
    if (!dialling->done) {
      const auto signal = std::make_shared<Signal>(worker_);
      dialling->waiters.push_back(signal);
      co_await signal->Wait();
    }
    if (!dialling->status.ok()) co_return dialling->status;
    if (dialling->http1 != nullptr || dialling->session == nullptr) {
      std::unique_ptr<UpstreamConnection> http1 = std::move(dialling->http1);
      if (http1 != nullptr) http1->busy = std::move(wanted.busy);
      co_return http1;
    }
    if (!dialling->session->HasRoom()) continue;
    std::unique_ptr<UpstreamExchange> stream = StreamOn(dialling->session, wanted);
    if (wanted.alone) dialling->session->Retire();
    co_return stream;
  }
  co_return Unavailable("the API server has no room for more streams");
}

}  // namespace weir
