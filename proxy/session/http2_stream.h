// One stream of an HTTP/2 connection: a request and its answer.
//
// Thread-affine. The session owns it while the stream is open, its handler until the answer is
// over; whatever is called after either has ended does nothing. The handler holds the session too.
//
//   Write(pieces) ─▶ as much as the peer's windows and the socket take ─▶ the session's batch
//                 └▶ the rest is copied, and the answer is false: bounded by one call's pieces
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "proxy/net/signal.h"
#include "proxy/session/exchange.h"
#include "proxy/session/http2_output.h"
#include "proxy/session/http2_request.h"

namespace weir {

class Http2Session;

class Http2Stream final : public Exchange, public std::enable_shared_from_this<Http2Stream> {
 public:
  Http2Stream(Http2Session& session, int32_t id, const http::HeadLimits& limits);
  ~Http2Stream() override;

  // Exchange.
  const http::RequestHead& request() const override;
  const CertificateVerdict& certificate() const override;
  void RecheckCertificate() override;
  const std::string& peer_address() const override;
  bool http2() const override { return true; }
  Worker& worker() const override;
  Async<StatusOr<std::string_view>> ReadBody() override;
  const http::HeaderList& request_trailers() const override { return incoming_->trailers; }
  void StopReading() override;
  void CloseAfterwards() override;
  Async<Status> Inform(http::ResponseHead head) override;
  Status Start(http::ResponseHead head) override;
  bool Write(std::span<const std::string_view> pieces, size_t bytes) override;
  size_t BufferedBytes() const override { return 4096; }
  size_t Room() const override;
  Async<Status> Drain() override;
  // HTTP/2 has no upgrades.
  Stream* SwitchProtocols(http::ResponseHead, std::string&) override { return nullptr; }
  Async<Status> Finish(const http::HeaderList& trailers) override;
  void Abort() override;
  bool started() const override { return started_; }
  int status() const override { return status_; }
  void OnWritable(absl::AnyInvocable<void()> done) override;
  void OnGone(absl::AnyInvocable<void()> done) override;
  bool TellsGoneInBody() const override { return true; }
  std::shared_ptr<Exchange> GoOn() override;
  void EndOngoing() override;
  std::shared_ptr<const http::HeaderList> KeepCredentials() override;

  // The rest is for the session.

  int32_t id() const { return id_; }
  // Null once the head is complete.
  Http2RequestBuilder* builder() {
    return incoming_ == nullptr ? nullptr : incoming_->builder.get();
  }
  // What the client is to be told in place of an answer, where its head was refused.
  const http::HttpError* refusal() const { return incoming_->refusal.get(); }
  // The head is complete. False: malformed.
  bool CompleteHead(bool end_stream);
  bool AddTrailer(std::string_view name, std::string_view value);

  void OnBody(std::string_view bytes);
  void OnBodyEnd();
  // The stream is no more. What was received and not read.
  size_t OnClosed();
  // The handler has ended, and what went on without it.
  void Over();
  // Whether EndOngoing() will come, or came.
  bool ongoing() const { return incoming_ == nullptr; }

  // For the session's passes. What may follow in a DATA frame now:
  size_t available() const { return kept_left() + (given_ != nullptr ? given_->left : 0); }
  // Whether these are the last bytes.
  bool ending() const;
  const http::HeaderList* answer_trailers() const { return trailers_.get(); }  // Null: none.
  // Moves `bytes` of it into the batch.
  void TakeInto(Http2Batch& batch, size_t bytes);
  // The batch was sent: what it referred to is not needed any more.
  void ForgetTaken();
  void OnEndSent() { end_sent_ = true; }

  bool closed() const { return closed_; }
  bool aborted() const { return aborted_; }
  // Whether somebody waits for it, and need not any more.
  bool IsReady() const { return IsTaken() || IsWritable(); }
  void CallWaiters();

  bool deferred = false;  // nghttp2 was told that nothing follows for now.
  bool waiting = false;   // Is in the session's list of those that wait.

 private:
  size_t kept_left() const { return kept_.size() - kept_start_; }
  bool CanWrite() const { return !closed_ && !aborted_; }
  bool IsDrained() const;
  // What Drain() and Finish() wait for, if they do; what OnWritable() waits for.
  bool IsTaken() const;
  bool IsWritable() const;
  // Until `done`, or the stream is closed; DeadlineExceeded where nothing moves for too long.
  Async<Status> WaitUntilTaken(bool end);
  void Wait();
  void TellGone();
  void NotifyReader();
  Signal& signal();

  Http2Session& session_;
  const int32_t id_;

  // The request. Null: it was forgotten.
  struct Incoming {
    Incoming(const http::HeadLimits& limits, const IdentityHeaderNames& own)
        : builder(std::make_unique<Http2RequestBuilder>(limits, own)) {}
    std::unique_ptr<Http2RequestBuilder> builder;
    std::unique_ptr<http::HttpError> refusal;
    http::RequestHead head;
    http::HeaderList trailers;
    Http2TrailerLimits trailer_size;
    std::string body;        // Received, not yet handed out; at most the stream's window.
    std::string handed_out;  // The last piece.
    std::unique_ptr<Signal> signal;
  };
  std::unique_ptr<Incoming> incoming_;

  // The answer. `kept_` is what no call's pieces hold any more.
  std::string kept_;
  size_t kept_start_ = 0;
  // What Write() was given, while it runs.
  struct Given {
    std::span<const std::string_view> pieces;
    size_t start = 0;  // In the first of them.
    size_t left;
  };
  Given* given_ = nullptr;
  uint64_t length_left_ = 0;
  uint64_t taken_ = 0;
  std::unique_ptr<const http::HeaderList> trailers_;
  std::unique_ptr<Signal> signal_;  // Of Drain() and Finish().
  std::unique_ptr<absl::AnyInvocable<void()>> on_writable_;
  absl::AnyInvocable<void()> on_gone_;
  int status_ = 0;

  bool started_ = false;
  bool head_only_ = false;
  bool has_length_ = false;
  bool finishing_ = false;
  bool end_sent_ = false;
  bool body_ended_ = false;
  bool stopped_ = false;  // Nobody reads the body any more.
  bool closed_ = false;
  bool aborted_ = false;
  bool over_ = false;
  bool awaited_ = false;  // By Drain() or Finish().
};

}  // namespace weir
