// One stream of an HTTP/2 connection to the API server: a request and its answer.
//
// Thread-affine. Owned by whoever asks; it holds its session. Destroyed before its end it cancels
// itself upstream, and the connection goes on.
//
//   DATA ─▶ the connection's window is given back ─▶ body_ ─▶ ReadBody() ─▶ the stream's window is
//                                                               at the next call
//
// Bounds: what is unread, 256 KiB (the stream's window); of the request's body one piece, which
// stays the sender's.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/net/signal.h"
#include "proxy/upstream/endpoints.h"
#include "proxy/upstream/http2_answer.h"
#include "proxy/upstream/proven_tokens.h"
#include "proxy/upstream/upstream_exchange.h"

namespace weir {

class Http2ClientSession;

class Http2ClientStream final : public UpstreamExchange {
 public:
  // Has a place on `session` from now on. What `bearer` is answered is noted in `tokens`; both may
  // be null.
  Http2ClientStream(std::shared_ptr<Http2ClientSession> session,
                    std::shared_ptr<ProvenTokens> tokens, uint64_t bearer);
  ~Http2ClientStream() override;
  Http2ClientStream(const Http2ClientStream&) = delete;
  Http2ClientStream& operator=(const Http2ClientStream&) = delete;

  // UpstreamExchange.
  Async<Status> SendHead(http::RequestHead head) override;
  Async<Status> SendBody(std::string_view piece) override;
  Async<Status> EndBody() override;
  Async<StatusOr<http::ResponseHead>> ReadHead(std::string_view method, Duration timeout) override;
  Async<StatusOr<std::string_view>> ReadBody() override;
  StatusOr<std::string_view> ReadBodyNow() override;
  bool body_done() const override { return body_ended_ && body_.empty(); }
  const http::HeaderList& trailers() const override { return trailers_; }
  void Abort() override;
  void SetDeadline(TimePoint deadline) override;
  bool abandoned() const override { return abandoned_; }
  bool was_kept() const override { return lost_ && kept_; }
  bool unprocessed() const override { return unprocessed_; }

  Endpoints::Request busy;  // The pool's.

  // The rest is for the session.

  int32_t id() const { return id_; }
  void SetId(int32_t id) { id_ = id; }
  bool has_place = true;   // Of those that have not begun.
  bool head_sent = false;  // nghttp2 has made a frame of it.
  bool deferred = false;   // nghttp2 was told that nothing follows for now.

  void OnHeadBegins();
  // False: what it belongs to is malformed, as OnHeadersEnd() and OnBody() will say too.
  bool OnField(std::string_view name, std::string_view value);
  // False: malformed.
  bool OnHeadersEnd(bool end_stream);
  void OnBody(std::string_view bytes);
  void OnEnd();
  void OnMalformed();

  // How the stream ended. Of several the first counts.
  struct End {
    Status failure;            // OK: as it should.
    bool lost = false;         // With its connection.
    bool abandoned = false;    // For its API server's death.
    bool unprocessed = false;  // Upstream has not looked at it.
  };
  void OnClosed(const End& end);

  // Of the request's body: what may go out, and whether that is all.
  size_t available() const { return pending_.size(); }
  bool ending() const;
  // The first `size` of it are on their way.
  std::string_view Take(size_t size);

 private:
  // Ends it here, and upstream.
  void Fail(Status failure);
  Status Failure() const;
  void GiveBack();

  const std::shared_ptr<Http2ClientSession> session_;
  const std::shared_ptr<ProvenTokens> tokens_;
  const uint64_t bearer_;
  int32_t id_ = 0;  // 0: not begun.
  const bool kept_;

  // The request.
  std::string method_;
  http::BodyFraming sending_;
  uint64_t to_send_ = 0;
  std::string_view pending_;  // Of the piece that is being sent.
  bool sent_ = true;          // All of it was given.
  std::unique_ptr<Signal> taken_;

  // The answer.
  std::unique_ptr<Http2AnswerBuilder> builder_;
  std::deque<http::ResponseHead> heads_;
  size_t interim_heads_ = 0;
  Http2FieldBounds trailer_bounds_;
  http::HeaderList trailers_;
  std::string body_;        // Received, not yet handed out.
  std::string handed_out_;  // The last piece.
  Signal received_;
  Executor::TimerId deadline_ = 0;

  Status failure_;
  bool head_done_ = false;  // The final one.
  bool body_ended_ = false;
  bool malformed_ = false;
  bool closed_ = false;
  bool lost_ = false;
  bool abandoned_ = false;
  bool unprocessed_ = false;
};

}  // namespace weir
