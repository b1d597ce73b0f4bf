// A watch whose head is out: an object, and no coroutine unless it asks for its rights or ends, so
// that one that waits costs little.
//
// What a batch brings is written by the replica's plain loop, straight into the socket or stream;
// this only wakes for a client that takes bytes again, or left, a deadline, a right that ends, or
// shutdown.
//
//   Begin() ─▶ Turn() ─▶ waits ─▶ Turn() … ─▶ Close() ─▶ Exchange::Finish() ─▶ EndOngoing()
//                │ ▲
//                ▼ │ every --watch-reauthorize-interval
//              Check()
//
// Thread-affine. Service::watches holds it while it runs, and its own coroutines do.
#pragma once

#include <memory>

#include "cache/replica.h"
#include "proxy/auth/kept_attributes.h"
#include "proxy/net/due_heap.h"
#include "proxy/session/cached_read.h"
#include "proxy/session/exchange.h"
#include "proxy/session/service.h"

namespace weir {

class RunningWatch final : public WatchSink, public DueHeap::Member {
 public:
  // `read` is served from now on without its handler; its ticket and its record come along. The
  // watch's time runs since `read.asked`, as upstream's does, but the state that it begins with
  // always comes.
  static void Begin(Service& service, Exchange& exchange, CachedRead& read, WatchSpec spec);
  ~RunningWatch() override;

  // WatchSink.
  bool Write(std::span<const std::string_view> pieces, size_t bytes, size_t frames) override;
  void End() override;
  // DueHeap::Member.
  void OnDue() override { Turn(); }

 private:
  using Self = RefPtr<RunningWatch>;

  RunningWatch(Service& service, std::shared_ptr<Exchange> exchange,
               std::shared_ptr<const http::HeaderList> credentials, CachedRead& read,
               TimePoint deadline);

  // Calls Turn(), later.
  void Wake();
  // Does what is to be done now.
  void Turn();
  void DoTurn();
  // Nothing is written until the client takes bytes again.
  void Park();
  // Nothing follows: ends the answer.
  void Close();
  bool Lasts(TimePoint now) const;
  TimePoint due() const;
  static Async<void> Check(Self self);
  static Async<void> Finish(Self self);
  Async<bool> StillAllowed();

  Service& service_;
  const std::shared_ptr<Exchange> exchange_;
  std::unique_ptr<Watcher> watcher_;  // Null: it is over.
  const IdentityRef identity_;
  const std::shared_ptr<const http::HeaderList> credentials_;
  const KeptAttributes attributes_;
  const Admission::Ticket ticket_;
  RequestRecord record_;
  const TimePoint deadline_;
  TimePoint next_check_;
  TimePoint parked_until_ = TimePoint::max();  // The socket has to drain by then.
  TimePoint unverified_since_ = TimePoint::max();
  // Until it has caught up for the first time: a proof may have taken all the time there was.
  bool starting_ = false;
  bool writable_ = true;
  bool more_ = true;  // Something may wait in the log.
  bool ended_ = false;
  bool gone_ = false;
  bool woken_ = false;
  bool checking_ = false;
};

}  // namespace weir
