// One informer: lists, then watches, for as long as the fleet runs.
//
//          ┌────────────── 410 ──────────────┐
//          ▼                                 │
//   LIST (revision 0; unset after a 410) ─▶ WATCH from the last revision ─▶ clean end ─┐
//          ▲  errors: again after a pause    ▲                                         │
//          └─────────────────────────────────┴─────────────────────────────────────────┘
#pragma once

#include <memory>
#include <random>
#include <string>

#include "bench/fleet/event_lines.h"
#include "bench/fleet/first_seen.h"
#include "bench/fleet/known_state.h"
#include "bench/fleet/tally.h"
#include "bench/fleet/watch_plan.h"
#include "proxy/net/signal.h"
#include "proxy/upstream/upstream_connection.h"

namespace weir::fleet {

// What all informers of a worker share. `worker`, `upstream` and `first_seen` outlive it.
struct Shared {
  Worker& worker;
  Upstream& upstream;
  FirstSeen& first_seen;
  std::chrono::seconds watch_timeout{0};  // Watches ask for one to two times this.
  std::string time_annotation;            // Holds Unix nanoseconds; "" for none.
  Duration settle{0};                     // How long a check waits for what is on its way.
  TimePoint started;
  bool ending = false;  // Whatever fails from now on was ended by us.
  Tally tally;
  std::minstd_rand random;
};

// Thread-affine. One connection at a time, and one more for Check().
class Informer {
 public:
  // `sampled`: decodes each event, so that Check() can be called.
  Informer(Shared& shared, WatchTarget target, bool sampled);

  // Runs until the worker ends. Call once.
  Async<void> Run();
  // Lists anew and compares: what still differs after `settle` is lost. Only when sampled.
  Async<void> Check();

  bool sampled() const { return sampled_; }

 private:
  enum class Next : uint8_t { kList, kWatch };

  Async<Status> Step();
  Async<Status> Connect(std::unique_ptr<UpstreamConnection>& connection);
  // Sends a GET; the answer's head. A status that is not 200 has its body read into `error_body`.
  Async<StatusOr<int>> Get(UpstreamConnection& connection, std::string target,
                           std::string& error_body);
  Async<StatusOr<Revision>> ReadList(UpstreamConnection& connection, KnownState* into);
  Async<Status> List();
  Async<Status> Watch();
  Async<Status> ReadEvents();
  Status OnPiece(std::string_view piece);
  Status OnEvent(const EventLine& event);
  Status OnError(const EventLine& event);
  void CheckOrder(Revision revision);
  void NoteTimes(const EventLine& event);
  Status Refused(int status, const std::string& body);
  Async<void> Pause();
  std::string ListTarget(std::string_view revision) const;
  std::string WatchTargetPath();

  Shared& shared_;
  const WatchTarget target_;
  const bool sampled_;
  std::unique_ptr<UpstreamConnection> connection_;
  Signal pause_;
  Next next_ = Next::kList;
  bool expired_ = false;  // The next list asks for the most recent state.
  bool synced_ = false;
  uint32_t failures_ = 0;  // In a row.
  Revision last_;
  bool any_event_ = false;  // Since the list: only then may a revision be a duplicate.
  EventLines lines_;
  KnownState known_;
};

}  // namespace weir::fleet
