// One HTTP/1.1 connection to the API server, one request at a time.
//
// Thread-affine. A connection whose framing, order or transport went wrong is never used again.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/status.h"
#include "protocol/http/message.h"
#include "proxy/net/http1_reader.h"
#include "proxy/net/stream.h"
#include "proxy/upstream/open_upstream.h"
#include "proxy/upstream/upstream.h"
#include "proxy/upstream/upstream_exchange.h"

namespace weir {

class UpstreamConnection final : public UpstreamExchange, private Endpoints::Member {
 public:
  // Dials `endpoint` and shakes hands. Unavailable says which address and why.
  static Async<StatusOr<std::unique_ptr<UpstreamConnection>>> Open(Worker& worker,
                                                                   Upstream& upstream,
                                                                   CredentialClass credential,
                                                                   size_t endpoint,
                                                                   TimePoint deadline);
  // Takes over what has been opened, of the same class and endpoint.
  UpstreamConnection(OpenedUpstream opened, Upstream& upstream, CredentialClass credential,
                     size_t endpoint);
  ~UpstreamConnection() override;

  // UpstreamExchange.
  Async<Status> SendHead(http::RequestHead head) override;
  Async<Status> SendBody(std::string_view piece) override;
  Async<Status> EndBody() override;
  Async<StatusOr<http::ResponseHead>> ReadHead(std::string_view method, Duration timeout) override;
  Async<StatusOr<std::string_view>> ReadBody() override;
  StatusOr<std::string_view> ReadBodyNow() override;
  const http::HeaderList& trailers() const override { return reader_.trailers(); }
  bool body_done() const override { return reader_.body_done(); }
  void Abort() override { stream_->Close(); }
  void SetDeadline(TimePoint deadline) override { stream_->SetDeadline(deadline); }
  bool abandoned() const override { return abandoned_; }
  bool was_kept() const override { return requests_ > 1; }
  bool unprocessed() const override { return false; }

  // Takes what has arrived, at most `max_bytes`, for ReadBodyNow(). Ends the view of the last
  // piece.
  void Receive(size_t max_bytes) { reader_.Poll(max_bytes); }

  // The bare connection, once its answer was 101, and what came behind that. It is never pooled
  // again.
  Stream& SwitchProtocols(std::string& received);

  // Whether another request may follow: both sides are through, and the peer keeps the connection.
  bool reusable() const;
  // Whether the peer is still there, and silent, as it must be between requests.
  bool Alive();

  CredentialClass credential() const { return credential_; }
  size_t endpoint() const { return endpoint_; }
  // Something came from its API server, which SwitchProtocols() has made another's to read.
  void NoteHeard();
  // Requests begun on it.
  uint64_t requests() const { return requests_; }
  // Whether it was made with the credentials that are in use now.
  bool current() const { return generation_ == upstream_.generation(); }
  TimePoint idle_since = TimePoint();  // The pool's.
  Endpoints::Request busy;             // The pool's: while somebody uses it.

 private:
  void OnEndpointDead() override;
  // `status`, but that of a connection that was cut for its API server: that one is lost, and
  // nobody cancelled anything.
  Status WhatBroke(Status status) const;

  Upstream& upstream_;
  const CredentialClass credential_;
  const size_t endpoint_;
  const uint64_t generation_;
  const std::unique_ptr<Stream> stream_;
  Http1Reader reader_;
  http::BodyFraming sending_;
  uint64_t to_send_ = 0;
  bool sent_ = true;
  bool keep_alive_ = true;
  bool answered_ = true;
  bool abandoned_ = false;
  uint64_t requests_ = 0;
};

}  // namespace weir
