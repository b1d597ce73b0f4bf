#include "proxy/net/signal.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>

namespace weir {

struct Signal::Impl {
  explicit Impl(net::io_context& io) : timer(io) {}
  net::basic_waitable_timer<std::chrono::steady_clock, net::wait_traits<std::chrono::steady_clock>,
                            IoExecutor>
      timer;
};

Signal::Signal(Worker& worker) : impl_(std::make_unique<Impl>(worker.io())), worker_(worker) {}
Signal::~Signal() = default;

void Signal::Notify() {
  if (notified_) return;
  notified_ = true;
  impl_->timer.cancel();
}

Async<bool> Signal::Wait(TimePoint deadline) {
  while (!notified_ && worker_.Now() < deadline) {
    impl_->timer.expires_at(deadline);
    co_await impl_->timer.async_wait(net::as_tuple(net::use_awaitable_t<IoExecutor>()));
  }
  co_return std::exchange(notified_, false);
}

}  // namespace weir
