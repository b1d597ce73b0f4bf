// One connection's bytes: TLS by OpenSSL over a non-blocking socket, or plain TCP.
//
// Unlike asio::ssl::stream it owns no buffers while idle: records are sealed into, and received
// through, scratch space of the worker, and only what the socket did not take is kept
// (performance.md, section 1).
//
//   pieces ─▶ gather 16 KiB ─▶ SSL_write ─▶ scratch.out ─▶ one send() per visit ─▶ the unsent tail
//   stays here
//
// Thread-affine to the worker. At most one reader and one writer at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "protocol/base/status.h"
#include "proxy/net/async.h"
#include "proxy/net/worker.h"

typedef struct ssl_st SSL;

namespace weir {

class Stream {
 public:
  // Takes over a connected non-blocking socket, and `ssl` (null: plain TCP).
  Stream(Worker& worker, int socket, SSL* ssl);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Unavailable: the peer is no TLS peer of ours, or left. Call it first, where there is TLS.
  Async<Status> Handshake(bool server);

  // At least one byte; 0 at the clean end of the peer's stream. Cancelled: closed here.
  // DeadlineExceeded: the deadline.
  Async<StatusOr<size_t>> Read(char* data, size_t size);
  // As Read(), but does not wait: 0 bytes and OK mean "nothing now" and set `end` at the clean end.
  StatusOr<size_t> ReadNow(char* data, size_t size, bool& end);
  // Returns when there is something to read, or the end, or an error that the next Read() will
  // tell.
  Async<void> WaitReadable();

  // Takes all `pieces` and sends what the socket takes at once; true when nothing is left unsent
  // and more may follow. Call it with at most a visit's worth (256 KiB) and not again before
  // Flush() or OnDrained() after a false.
  bool Write(std::span<const std::string_view> pieces);
  bool Write(std::string_view bytes) { return Write(std::span(&bytes, 1)); }
  // Until all is sent. DeadlineExceeded, Cancelled, Unavailable as Read(). With `stall` it sets the
  // deadline: that long without progress; it is gone afterwards. A peer that takes no more (it
  // answered early, and closed) ends the sending half only: what it sent can still be read.
  Async<Status> Flush(Duration stall = Duration(0));
  size_t unsent() const;

  // Calls back once, later: when all is sent or the stream has failed; when there is something to
  // read or the end. Dropped, uncalled, when the stream dies.
  void OnDrained(absl::AnyInvocable<void()> done);
  void OnReadable(absl::AnyInvocable<void()> done);

  // Closes the connection with DeadlineExceeded then. TimePoint::max(): never.
  void SetDeadline(TimePoint deadline);
  // The error that broke the stream, or its sending half; OK while it works.
  const Status& failure() const;

  // Says that no more will be sent (close_notify, FIN), once what is unsent is on its way; reading
  // goes on.
  void FinishWriting();
  // Says goodbye (close_notify, FIN) without waiting, then closes. Pending waits end with
  // Cancelled.
  void Close();
  // Closes without close_notify, so that the peer sees a connection that broke.
  void Cut();
  bool closed() const;

  SSL* ssl() const;
  int socket() const;
  Worker& worker() const;
  std::string peer_address() const;  // Without the port.

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace weir
