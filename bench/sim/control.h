// The control port: plain HTTP on loopback, for fault injection and counters.
//
//   GET  /sim/status                         counters as JSON
//   POST /sim/fault?kind=refuse&code=429&count=5[&verb=list][&resource=pods][&retryAfter=1]
//   POST /sim/fault?kind=drop-watches[&resource=pods][&mode=clean|reset]
//   POST /sim/fault?kind=stall&seconds=10[&resource=pods]
//   POST /sim/fault?kind=cut&count=1[&resource=pods]
//   POST /sim/fault?kind=rewind&by=100       back to an older revision, as an etcd restored from a
//   backup POST /sim/fault?kind=compact             history is forgotten POST /sim/fault?kind=clear
//   no refusal, stall or cut any more POST /sim/churn?rate=100                 events per second
//   from now on POST /sim/churn?burst=1000[&only=pods]   events at once
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "bench/sim/churn.h"
#include "bench/sim/faults.h"
#include "bench/sim/server.h"

namespace weir::sim {

// Without sockets: what a control request does, and its answer.
class Control {
 public:
  Control(Store& store, Api& api, Churn& churn, Faults& faults)
      : store_(store), api_(api), churn_(churn), faults_(faults) {}
  // `counters` may be null.
  Reply Handle(std::string_view method, std::string_view target, TimePoint now,
               const ServerCounters* counters);

 private:
  Reply Fault(const Query& query, TimePoint now);
  Reply ChurnFor(const Query& query);
  Reply DropWatches(const Query& query);
  Reply StatusReply(const ServerCounters* counters) const;

  Store& store_;
  Api& api_;
  Churn& churn_;
  Faults& faults_;
};

class ControlServer {
 public:
  // On 127.0.0.1; port 0: any.
  static StatusOr<std::unique_ptr<ControlServer>> Listen(net::io_context& io, uint16_t port,
                                                         Control& control, const Server& server);
  uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void Start();
  void Stop();

 private:
  ControlServer(net::io_context& io, Control& control, const Server& server)
      : acceptor_(io), control_(control), server_(server) {}
  static net::awaitable<void> Accept(ControlServer* self);
  static net::awaitable<void> Serve(ControlServer* self,
                                    std::shared_ptr<net::ip::tcp::socket> socket);

  net::ip::tcp::acceptor acceptor_;
  Control& control_;
  const Server& server_;
};

}  // namespace weir::sim
