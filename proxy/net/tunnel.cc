#include "proxy/net/tunnel.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/base/log.h"
#include "proxy/net/signal.h"

namespace weir {

namespace {

// With the worker's 64 KiB of received scratch: what of those is not read yet, and what of the read
// ones was not taken, are 64 KiB together.
constexpr size_t kReadBytes = 32 * 1024;
constexpr int kReadsPerTurn = 16;

constexpr Duration kLinger = std::chrono::seconds(2);

// What the two directions, and the clock, know of each other.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(Stream& a, Stream& b, TunnelOptions options)
      : worker_(a.worker()),
        a_(a),
        b_(b),
        options_(std::move(options)),
        done_(worker_),
        last_byte_(worker_.Now()) {}
  // A direction that is cut with its worker may die after the streams.
  ~Tunnel() { worker_.Cancel(timer_); }

  const TunnelOptions& options() const { return options_; }
  void Moved() { last_byte_ = worker_.Now(); }
  // Arms the clock for what the tunnel waits for now.
  void Watch() {
    const Duration limit = Limit();
    worker_.Cancel(std::exchange(timer_, 0));
    if (limit == Duration(0)) return;
    timer_ = worker_.After(last_byte_ + limit - worker_.Now(), [weak = weak_from_this()] {
      if (const auto running = weak.lock()) running->OnTimer();
    });
  }
  // A direction carries no more.
  void Over() {
    --open_;
    Moved();
    Watch();
  }
  void Broke() {
    if (end_ == TunnelEnd::kClosed && open_ > 0) end_ = TunnelEnd::kBroken;
    a_.Cut();
    b_.Cut();
  }
  // Its coroutine is through.
  void Done() {
    --running_;
    done_.Notify();
  }
  Async<TunnelEnd> BothDone() {
    while (running_ > 0) co_await done_.Wait();
    a_.Close();
    b_.Close();
    co_return end_;
  }

 private:
  Duration Limit() const {
    const Duration idle = options_.idle_timeout;
    if (open_ == 2) return idle;
    if (open_ == 0) return kLinger;
    return idle == Duration(0) ? kHalfClosed : std::min(kHalfClosed, idle);
  }
  void OnTimer() {
    timer_ = 0;
    if (last_byte_ + Limit() > worker_.Now()) return Watch();
    if (open_ > 0) end_ = TunnelEnd::kIdle;
    a_.Close();
    b_.Close();
  }

  Worker& worker_;
  Stream& a_;
  Stream& b_;
  const TunnelOptions options_;
  Signal done_;
  TimePoint last_byte_;
  Executor::TimerId timer_ = 0;
  int open_ = 2;     // Directions that carry bytes.
  int running_ = 2;  // Their coroutines.
  TunnelEnd end_ = TunnelEnd::kClosed;
};

// Until the end of `from`, which `to` then hears of. Once `to` takes no more (it may still have
// something to say, and `from` is to hear that) the rest is read and dropped: bytes that nobody
// reads would make the kernel reset the connection, and take what is on its way with it.
Async<Status> Carry(Tunnel& tunnel, Stream& from, Stream& to,
                    const std::function<void(size_t)>& count) {
  thread_local std::vector<char> buffer(kReadBytes);  // Never across a co_await.
  bool taken = true;
  int unwaited = 0;
  for (;;) {
    if (taken && (to.unsent() > 0 || !to.failure().ok())) {
      taken = (co_await to.Flush()).ok();
      if (!taken) tunnel.Over();
      tunnel.Moved();
    }
    bool end = false;
    const StatusOr<size_t> got = from.ReadNow(buffer.data(), buffer.size(), end);
    if (!got.ok()) co_return got.status();
    if (end) break;
    if (*got == 0) {
      unwaited = 0;
      co_await from.WaitReadable();
      continue;
    }
    if (taken) {
      tunnel.Moved();
      if (count) count(*got);
      to.Write(std::string_view(buffer.data(), *got));
    }
    if (++unwaited < kReadsPerTurn) continue;
    unwaited = 0;
    co_await net::post(from.worker().io(), net::use_awaitable_t<IoExecutor>());
  }
  if (!taken) co_return OkStatus();
  to.FinishWriting();
  static_cast<void>(co_await to.Flush());
  tunnel.Over();
  co_return OkStatus();
}

Async<void> Direction(std::shared_ptr<Tunnel> tunnel, Stream& from, Stream& to,
                      const std::function<void(size_t)>& count) {
  Status status;
  try {
    status = co_await Carry(*tunnel, from, to, count);
  } catch (const std::exception& failure) {
    // The other direction still refers to both streams: it has to end as well.
    Log(LogLevel::kError, "A tunnel failed", {{"err", failure.what()}});
    status = Internal(failure.what());
  }
  if (!status.ok()) tunnel->Broke();
  tunnel->Done();
}

}  // namespace

Async<TunnelEnd> RunTunnel(Stream& a, Stream& b, TunnelOptions options) {
  const auto tunnel = std::make_shared<Tunnel>(a, b, std::move(options));
  tunnel->Watch();
  a.worker().Spawn(Direction(tunnel, a, b, tunnel->options().from_a));
  co_await Direction(tunnel, b, a, tunnel->options().from_b);
  co_return co_await tunnel->BothDone();
}

}  // namespace weir
