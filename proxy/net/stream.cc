#include "proxy/net/stream.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <cstring>

#include "proxy/admin/metrics.h"

namespace weir {

namespace {

constexpr size_t kRecordBytes = 16384;
// A visit's 256 KiB and its framing fit; more is given back.
constexpr size_t kMaxScratchBytes = 512 * 1024;

using Socket = net::basic_stream_socket<net::ip::tcp, IoExecutor>;
inline constexpr auto kAwait = net::as_tuple(net::use_awaitable_t<IoExecutor>());

std::string TlsErrorText() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "connection closed in a TLS handshake or record";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "TLS error";
}

net::ip::tcp ProtocolOf(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
  return address.ss_family == AF_INET6 ? net::ip::tcp::v6() : net::ip::tcp::v4();
}

}  // namespace

struct Stream::State : std::enable_shared_from_this<Stream::State> {
  State(Worker& w, int fd, SSL* s) : worker(w), socket(w.io(), ProtocolOf(fd), fd), ssl(s) {}
  ~State() {
    worker.Cancel(deadline_timer);
    DropTail();
    if (ssl != nullptr) SSL_free(ssl);
  }

  // OpenSSL's side of the wire.
  int Receive(char* data, int size);
  int Append(const char* data, int size);
  static BIO_METHOD* Method();
  void AttachBio();
  // Keeps received bytes that OpenSSL has not asked for yet.
  void KeepInput();
  // What was received already wakes no waiter on the socket.
  bool HasInput() const { return !input.empty() || (ssl != nullptr && SSL_pending(ssl) > 0); }

  bool Seal(const char* data, size_t size);
  bool SealPieces(std::span<const std::string_view> pieces);
  void SendScratch();
  void SendTail();
  void SayGoodbye();
  void ShutDownSending();
  void CloseSocket();
  void Fail(Status status);
  void FailSending(int error);
  void DropTail();
  bool CanSend() const { return failure.ok() && send_failure.ok(); }
  const Status& AnyFailure() const { return failure.ok() ? send_failure : failure; }
  void WaitWritable();

  Worker& worker;
  Socket socket;
  SSL* ssl;
  Status failure;
  Status send_failure;  // The peer takes no more; what it sent before can still be read.
  bool is_closed = false;
  bool received_end = false;
  bool finished = false;  // FinishWriting() was called.
  std::string tail;       // Sealed, unsent.
  size_t tail_start = 0;
  // Received, not yet consumed: a view into the worker's scratch during a visit, own bytes between
  // visits.
  std::string_view input;
  std::string input_kept;
  absl::AnyInvocable<void()> on_drained;
  bool waiting_writable = false;
  Executor::TimerId deadline_timer = 0;
};

int Stream::State::Receive(char* data, int size) {
  if (input.empty()) {
    auto& scratch = worker.scratch().in;
    const ssize_t got =
        ::recv(socket.native_handle(), scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -1 : -2;
    if (got == 0) {
      received_end = true;
      return 0;
    }
    input = std::string_view(scratch.data(), static_cast<size_t>(got));
  }
  const size_t take = std::min(static_cast<size_t>(size), input.size());
  std::memcpy(data, input.data(), take);
  input.remove_prefix(take);
  return static_cast<int>(take);
}

int Stream::State::Append(const char* data, int size) {
  worker.scratch().out.append(data, static_cast<size_t>(size));
  return size;
}

BIO_METHOD* Stream::State::Method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir stream");
    BIO_meth_set_create(m, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    BIO_meth_set_read(m, [](BIO* bio, char* data, int size) {
      BIO_clear_retry_flags(bio);
      const int got = static_cast<State*>(BIO_get_data(bio))->Receive(data, size);
      if (got == -1) BIO_set_retry_read(bio);
      return got < 0 ? -1 : got;
    });
    BIO_meth_set_write(m, [](BIO* bio, const char* data, int size) {
      return static_cast<State*>(BIO_get_data(bio))->Append(data, size);
    });
    BIO_meth_set_ctrl(m, [](BIO* bio, int command, long, void*) -> long {
      if (command == BIO_CTRL_FLUSH) return 1;
      if (command == BIO_CTRL_EOF)
        return static_cast<State*>(BIO_get_data(bio))->received_end ? 1 : 0;
      return 0;
    });
    return m;
  }();
  return method;
}

void Stream::State::AttachBio() {
  BIO* bio = BIO_new(Method());
  BIO_set_data(bio, this);
  SSL_set_bio(ssl, bio, bio);
}

void Stream::State::KeepInput() {
  if (input.empty()) {
    if (!input_kept.empty()) std::string().swap(input_kept);
    return;
  }
  if (input.data() >= input_kept.data() && input.data() < input_kept.data() + input_kept.size())
    return;
  input_kept.assign(input);
  input = input_kept;
}

bool Stream::State::Seal(const char* data, size_t size) {
  if (ssl == nullptr) {
    worker.scratch().out.append(data, size);
    return true;
  }
  ERR_clear_error();
  if (SSL_write(ssl, data, static_cast<int>(size)) != static_cast<int>(size)) {
    Fail(Unavailable(TlsErrorText()));
    return false;
  }
  ++worker.counters().records;
  return true;
}

bool Stream::State::SealPieces(std::span<const std::string_view> pieces) {
  char* const gather = worker.scratch().gather.data();
  size_t filled = 0;
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      if (filled == 0 && piece.size() >= kRecordBytes) {  // Whole records need no gathering.
        if (!Seal(piece.data(), kRecordBytes)) return false;
        piece.remove_prefix(kRecordBytes);
        continue;
      }
      const size_t take = std::min(piece.size(), kRecordBytes - filled);
      std::memcpy(gather + filled, piece.data(), take);
      worker.counters().bytes_copied += take;
      filled += take;
      piece.remove_prefix(take);
      if (filled == kRecordBytes) {
        if (!Seal(gather, filled)) return false;
        filled = 0;
      }
    }
  }
  return filled == 0 || Seal(gather, filled);
}

void Stream::State::SendScratch() {
  std::string& out = worker.scratch().out;
  if (!CanSend()) out.clear();
  if (out.empty()) return;
  size_t sent = 0;
  while (tail.empty() && sent < out.size()) {
    const ssize_t n = ::send(socket.native_handle(), out.data() + sent, out.size() - sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        FailSending(errno);
        return out.clear();
      }
      break;
    }
    ++worker.counters().sends;
    worker.counters().bytes_sent += static_cast<uint64_t>(n);
    sent += static_cast<size_t>(n);
  }
  if (sent < out.size()) {
    tail.append(out, sent);
    ProcessMetrics().unsent_bytes.Add(static_cast<int64_t>(out.size() - sent));
  }
  out.clear();
  if (out.capacity() > kMaxScratchBytes) std::string().swap(out);
}

void Stream::State::SendTail() {
  while (tail_start < tail.size()) {
    const ssize_t n = ::send(socket.native_handle(), tail.data() + tail_start,
                             tail.size() - tail_start, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) FailSending(errno);
      return;
    }
    ++worker.counters().sends;
    worker.counters().bytes_sent += static_cast<uint64_t>(n);
    tail_start += static_cast<size_t>(n);
    ProcessMetrics().unsent_bytes.Sub(n);
  }
  DropTail();  // A drained connection holds no buffer.
  if (finished) ShutDownSending();
}

void Stream::State::SayGoodbye() {
  if (ssl == nullptr || !CanSend() || !SSL_is_init_finished(ssl)) return;
  if ((SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN) != 0) return;  // A second call would read.
  ERR_clear_error();
  SSL_shutdown(ssl);
  SendScratch();
}

void Stream::State::ShutDownSending() {
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_send, ignored);
}

void Stream::State::CloseSocket() {
  is_closed = true;
  worker.scratch().out.clear();
  Fail(Cancelled("connection closed"));
  worker.Cancel(std::exchange(deadline_timer, 0));
  on_drained = nullptr;
  boost::system::error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
  socket.close(ignored);
}

void Stream::State::Fail(Status status) {
  if (failure.ok()) failure = std::move(status);
}

void Stream::State::FailSending(int error) {
  send_failure = Unavailable(fmt::format("send: {}", std::strerror(error)));
  DropTail();
}

void Stream::State::DropTail() {
  ProcessMetrics().unsent_bytes.Sub(static_cast<int64_t>(tail.size() - tail_start));
  std::string().swap(tail);
  tail_start = 0;
}

void Stream::State::WaitWritable() {
  if (waiting_writable) return;
  waiting_writable = true;
  socket.async_wait(Socket::wait_write,
                    [self = shared_from_this()](boost::system::error_code error) {
                      self->waiting_writable = false;
                      if (error) self->Fail(Cancelled("connection closed"));
                      if (self->CanSend()) self->SendTail();
                      if (self->CanSend() && !self->tail.empty()) return self->WaitWritable();
                      if (self->on_drained) std::exchange(self->on_drained, nullptr)();
                    });
}

Stream::Stream(Worker& worker, int socket, SSL* ssl)
    : state_(std::make_shared<State>(worker, socket, ssl)) {
  if (ssl != nullptr) state_->AttachBio();
}

Stream::~Stream() { Close(); }

Async<Status> Stream::Handshake(bool server) {
  State& s = *state_;
  if (s.ssl == nullptr) s.Fail(Unavailable("no TLS on this connection"));  // Out of memory.
  if (!s.CanSend()) co_return s.AnyFailure();
  for (;;) {
    ERR_clear_error();
    const int result = server ? SSL_accept(s.ssl) : SSL_connect(s.ssl);
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(s.ssl, result);
    s.SendScratch();  // Alerts too.
    s.KeepInput();
    if (!s.CanSend()) co_return s.AnyFailure();
    if (result == 1) co_return OkStatus();
    if (error != SSL_ERROR_WANT_READ) {
      s.Fail(Unavailable(TlsErrorText()));
      co_return s.failure;
    }
    if (!s.tail.empty()) WEIR_CO_TRY(co_await Flush());
    co_await WaitReadable();
    if (!s.failure.ok()) co_return s.failure;
  }
}

StatusOr<size_t> Stream::ReadNow(char* data, size_t size, bool& end) {
  State& s = *state_;
  end = false;
  if (!s.failure.ok()) return s.failure;
  if (size == 0) return size_t{0};
  if (s.ssl == nullptr) {
    const int got = s.Receive(data, static_cast<int>(std::min(size, size_t{1} << 30)));
    s.KeepInput();
    if (got == -2) s.Fail(Unavailable("connection reset by the peer"));
    if (!s.failure.ok()) return s.failure;
    end = got == 0;
    return got > 0 ? static_cast<size_t>(got) : 0;
  }
  ERR_clear_error();
  size_t total = 0;
  int result = 1;
  while (total < size) {
    result =
        SSL_read(s.ssl, data + total, static_cast<int>(std::min(size - total, size_t{1} << 30)));
    if (result <= 0) break;
    total += static_cast<size_t>(result);
  }
  const int error = result > 0 ? SSL_ERROR_NONE : SSL_get_error(s.ssl, result);
  s.KeepInput();
  s.SendScratch();  // An answer to a KeyUpdate.
  if (total > 0) return total;
  if (error == SSL_ERROR_WANT_READ) return size_t{0};
  if (error == SSL_ERROR_ZERO_RETURN) {
    end = true;
    return size_t{0};
  }
  // A peer that closes without close_notify is an error here: HTTP decides whether it is harmless.
  ERR_clear_error();
  s.Fail(Unavailable("connection closed by the peer"));
  return s.failure;
}

Async<StatusOr<size_t>> Stream::Read(char* data, size_t size) {
  for (;;) {
    bool end = false;
    const StatusOr<size_t> got = ReadNow(data, size, end);
    if (!got.ok() || *got > 0 || end) co_return got;
    co_await WaitReadable();
  }
}

Async<void> Stream::WaitReadable() {
  State& s = *state_;
  if (!s.failure.ok()) co_return;
  if (s.HasInput()) co_return;
  const std::shared_ptr<State> keep = state_;
  const auto [error] = co_await keep->socket.async_wait(Socket::wait_read, kAwait);
  if (error) keep->Fail(Cancelled("connection closed"));
}

bool Stream::Write(std::span<const std::string_view> pieces) {
  State& s = *state_;
  if (!s.CanSend()) return false;
  if (s.SealPieces(pieces)) s.SendScratch();
  s.worker.scratch().out.clear();
  return s.CanSend() && s.tail.empty();
}

Async<Status> Stream::Flush(Duration stall) {
  const std::shared_ptr<State> s = state_;
  const bool timed = stall > Duration(0) && s->CanSend() && !s->tail.empty();
  size_t left = SIZE_MAX;
  while (s->CanSend() && !s->tail.empty()) {
    const size_t unsent_now = s->tail.size() - s->tail_start;
    if (timed && unsent_now < left) SetDeadline(s->worker.Now() + stall);
    left = unsent_now;
    const auto [error] = co_await s->socket.async_wait(Socket::wait_write, kAwait);
    if (error) s->Fail(Cancelled("connection closed"));
    if (s->failure.ok()) s->SendTail();
  }
  if (timed && s->failure.ok()) SetDeadline(TimePoint::max());
  co_return s->AnyFailure();
}

size_t Stream::unsent() const { return state_->tail.size() - state_->tail_start; }

void Stream::OnDrained(absl::AnyInvocable<void()> done) {
  state_->on_drained = std::move(done);
  state_->WaitWritable();
}

void Stream::OnReadable(absl::AnyInvocable<void()> done) {
  State& s = *state_;
  auto handler = [keep = std::weak_ptr(state_),
                  done = std::move(done)](boost::system::error_code error) mutable {
    const std::shared_ptr<State> state = keep.lock();
    if (!error && state != nullptr && !state->is_closed) done();
  };
  if (s.HasInput()) {
    s.worker.Post([handler = std::move(handler)]() mutable { handler({}); });
  } else {
    s.socket.async_wait(Socket::wait_read, std::move(handler));
  }
}

void Stream::SetDeadline(TimePoint deadline) {
  State& s = *state_;
  s.worker.Cancel(std::exchange(s.deadline_timer, 0));
  if (deadline == TimePoint::max() || s.is_closed) return;
  s.deadline_timer = s.worker.After(deadline - s.worker.Now(), [state = std::weak_ptr(state_)] {
    const std::shared_ptr<State> expired = state.lock();
    if (expired == nullptr) return;
    expired->deadline_timer = 0;
    expired->Fail(DeadlineExceeded("the peer was too slow"));
    boost::system::error_code ignored;
    expired->socket.cancel(ignored);
  });
}

const Status& Stream::failure() const { return state_->AnyFailure(); }

void Stream::FinishWriting() {
  State& s = *state_;
  if (!s.CanSend() || s.finished) return;
  s.SayGoodbye();
  s.finished = true;
  if (!s.CanSend()) return;
  if (s.tail.empty()) {
    s.ShutDownSending();
  } else {
    s.WaitWritable();
  }
}

void Stream::Close() {
  State& s = *state_;
  if (s.is_closed) return;
  s.SayGoodbye();
  s.CloseSocket();
}

void Stream::Cut() {
  if (!state_->is_closed) state_->CloseSocket();
}

bool Stream::closed() const { return state_->is_closed; }
SSL* Stream::ssl() const { return state_->ssl; }
int Stream::socket() const { return state_->socket.native_handle(); }
Worker& Stream::worker() const { return state_->worker; }

std::string Stream::peer_address() const {
  boost::system::error_code error;
  const auto endpoint = state_->socket.remote_endpoint(error);
  return error ? "" : endpoint.address().to_string();
}

}  // namespace weir
