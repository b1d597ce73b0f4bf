// A worker's HTTP/2 connections to the API servers, and places on them.
//
//   Begin() ─▶ a place on a connection of the group ────────────────────────────▶ a stream
//           ├▶ none: a new connection, or one that somebody is dialling already ─▶ the same
//           └▶ the API server chose HTTP/1.1: that connection, and for a while no other try
//
// A group is a credential class and an endpoint; of clients' tokens those that were taken before
// are one, and those that are new another (proven_tokens.h).
//
// Thread-affine; outlives the worker's coroutines. Bounds: as many connections as the requests need
// that are under way, each filled before the next is begun; what a connection holds is in
// http2_client_session.h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "proxy/upstream/http2_client_session.h"
#include "proxy/upstream/upstream_exchange.h"

namespace weir {

class Http2Pool {
 public:
  struct Options {
    Http2ClientSession::Limits session;
    // How long an API server that chose HTTP/1.1 is not asked again.
    Duration http1_for = std::chrono::minutes(5);
  };

  Http2Pool(Worker& worker, Upstream& upstream, const Options& options);
  ~Http2Pool();
  Http2Pool(const Http2Pool&) = delete;
  Http2Pool& operator=(const Http2Pool&) = delete;

  struct Wanted {
    CredentialClass credential = CredentialClass::kNone;
    size_t endpoint = 0;
    uint64_t bearer = 0;             // ProvenTokens::KeyOf() of a client's token; 0: none.
    TimePoint since = TimePoint();   // No connection that is older.
    bool alone = false;              // One that nobody else gets.
    Duration timeout = Duration(0);  // For connecting.
    Endpoints::Request busy;         // Kept with the stream.
  };
  // Whether it is worth a try: it did not choose HTTP/1.1 lately.
  bool Speaks(size_t endpoint) const;
  // A stream, or the connection that turned out to speak HTTP/1.1. Null: it does, and somebody else
  // has that one. Unavailable: it could not be reached, or lets nobody in.
  Async<StatusOr<std::unique_ptr<UpstreamExchange>>> Begin(Wanted wanted);

  // Connections end with their last stream; nothing is kept any more.
  void Close();

 private:
  struct Dialling;
  struct Group {
    std::vector<std::shared_ptr<Http2ClientSession>> sessions;
    std::shared_ptr<Dialling> dialling;  // The newest that others may join.
    size_t room = 100;                   // Of the newest connection.
  };

  Group& GroupOf(const Wanted& wanted);
  std::shared_ptr<Http2ClientSession> FindRoom(Group& group, TimePoint since);
  std::shared_ptr<Dialling> Join(Group& group, const Wanted& wanted);
  static Async<void> Dial(Http2Pool* self, std::shared_ptr<Dialling> dialling);
  Async<Status> Open(Dialling& dialling);
  void Keep(Group& group, const std::shared_ptr<Http2ClientSession>& session);
  std::unique_ptr<UpstreamExchange> StreamOn(std::shared_ptr<Http2ClientSession> session,
                                             Wanted& wanted);

  Worker& worker_;
  Upstream& upstream_;
  const Options options_;
  const std::shared_ptr<ProvenTokens> tokens_ = std::make_shared<ProvenTokens>();
  std::vector<Group> groups_;
  std::vector<TimePoint> http1_until_;  // By endpoint.
  bool closed_ = false;
};

}  // namespace weir
