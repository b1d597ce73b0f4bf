// One request to the API server and its answer, whatever the HTTP version.
//
// Thread-affine. At most one coroutine sends and one reads. HTTP/1.1 connections implement it, and
// HTTP/2 streams, each on its own.
#pragma once

#include <string_view>

#include "protocol/base/executor.h"
#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "proxy/net/async.h"

namespace weir {

// Every failure is Unavailable where the API server was lost, or lost interest; Cancelled after
// Abort(), DeadlineExceeded, InvalidArgument for what is no HTTP.
class UpstreamExchange {
 public:
  virtual ~UpstreamExchange() = default;

  // Sends a request's head: origin-form target without the server's prefix, `Host` set here,
  // framing by head.body.
  virtual Async<Status> SendHead(http::RequestHead head) = 0;
  // A piece of the request's body, until it is on its way; and the body's end. After a failure what
  // upstream has answered can still be read.
  virtual Async<Status> SendBody(std::string_view piece) = 0;
  virtual Async<Status> EndBody() = 0;

  // The next response head, 1xx included. `method` as sent. `timeout` zero: no bound, as for a
  // watch through a proxy that is quiet.
  virtual Async<StatusOr<http::ResponseHead>> ReadHead(std::string_view method,
                                                       Duration timeout) = 0;
  // The next piece of the body, valid until the next call; "" at the end.
  virtual Async<StatusOr<std::string_view>> ReadBody() = 0;
  // As ReadBody(), but only what was received already; "" says nothing of the end.
  virtual StatusOr<std::string_view> ReadBodyNow() = 0;
  virtual bool body_done() const = 0;
  virtual const http::HeaderList& trailers() const = 0;

  // Ends what runs on it: waits end with Cancelled.
  virtual void Abort() = 0;
  // Ends it with DeadlineExceeded then. TimePoint::max(): never.
  virtual void SetDeadline(TimePoint deadline) = 0;

  // After a failure.
  // Its API server was found dead, and it was cut for that.
  virtual bool abandoned() const = 0;
  // It was on a connection that had served others before, and that was lost.
  virtual bool was_kept() const = 0;
  // Upstream has done nothing with the request, and says so: it may be sent again, whatever it is.
  virtual bool unprocessed() const = 0;
};

}  // namespace weir
