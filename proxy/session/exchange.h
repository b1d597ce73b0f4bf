// One request and its response, whatever the HTTP version: what the router and everything behind it
// sees.
//
// Thread-affine; lives as long as its handler runs, or until EndOngoing(). HTTP/1.1 connections
// implement it, and HTTP/2 streams, each on its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "proxy/auth/authenticator.h"
#include "proxy/net/stream.h"
#include "proxy/net/worker.h"

namespace weir {

class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const http::RequestHead& request() const = 0;
  virtual const CertificateVerdict& certificate() const = 0;
  // Judges the client's certificate again where the verdict no longer stands: another CA bundle, or
  // its time is over.
  virtual void RecheckCertificate() = 0;
  virtual const std::string& peer_address() const = 0;
  // Whether it came over HTTP/2, in which upstream answers some things otherwise.
  virtual bool http2() const { return false; }
  virtual Worker& worker() const = 0;

  // The request's body: the next piece, valid until the next call; "" at the end. InvalidArgument:
  // bad framing.
  virtual Async<StatusOr<std::string_view>> ReadBody() = 0;
  virtual const http::HeaderList& request_trailers() const = 0;
  // The answer is out and nobody wants the rest: ReadBody() fails within two seconds, and the
  // connection, or the stream, ends.
  virtual void StopReading() = 0;

  // No request is read after this one, whatever its answer.
  virtual void CloseAfterwards() = 0;

  // Sends a 1xx; to HTTP/1.0, which knows none, nothing.
  virtual Async<Status> Inform(http::ResponseHead head) = 0;
  // Begins the response. Framing follows head.body: kLength and kChunked add the header they need
  // (to HTTP/1.0: until close; HTTP/2 frames by itself), kNone adds nothing. Of an answer to HEAD,
  // and of 204 and 304, only the head is sent, whatever is written.
  virtual Status Start(http::ResponseHead head) = 0;
  // Sends payload, framed: takes all of it (at most 256 KiB a call); true when more may follow at
  // once. After false wait for Drain() or OnWritable().
  virtual bool Write(std::span<const std::string_view> pieces, size_t bytes) = 0;
  // How large an answer may be whose length Go's server would tell: what it holds before it sends.
  virtual size_t BufferedBytes() const { return 2048; }
  // How much of a Write() goes out at once, as far as is known: the rest would have to be kept.
  virtual size_t Room() const { return SIZE_MAX; }
  // Until everything is on its way; fails when the client took nothing for a minute or is gone.
  virtual Async<Status> Drain() = 0;
  // Answers with `head`, a 101, and gives the connection away, with the bytes that followed the
  // request in `received`: nothing of the exchange reads or writes it any more, and it ends with
  // the exchange. Null, and nothing is sent: an HTTP version without upgrades.
  virtual Stream* SwitchProtocols(http::ResponseHead head, std::string& received) = 0;
  // Ends the response cleanly.
  virtual Async<Status> Finish(const http::HeaderList& trailers) = 0;
  // Cuts the connection or stream, so that the client sees an error rather than an end.
  virtual void Abort() = 0;
  virtual bool started() const = 0;
  virtual int status() const = 0;  // Of the response; 0 before Start().

  // Called back once, later: the socket took everything, or failed; the client is gone. Dropped
  // with the exchange.
  virtual void OnWritable(absl::AnyInvocable<void()> done) = 0;
  virtual void OnGone(absl::AnyInvocable<void()> done) = 0;
  // Whether OnGone() may be asked for while the body is still to be read.
  virtual bool TellsGoneInBody() const { return false; }

  // The answer has begun and goes on when the handler has returned: what is returned keeps the
  // exchange until then, and EndOngoing() is called when all is over, once. The request is
  // forgotten: of request() nothing is left, and no body is read.
  virtual std::shared_ptr<Exchange> GoOn() = 0;
  virtual void EndOngoing() = 0;
  // Of the request's head what says who asks (CredentialLines), shared with equal requests of the
  // connection; null: nothing does. Before GoOn().
  virtual std::shared_ptr<const http::HeaderList> KeepCredentials() = 0;
};

}  // namespace weir
