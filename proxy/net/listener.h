// Listening sockets, one per worker on the same address: the kernel spreads connections
// (SO_REUSEPORT).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/base/status.h"
#include "proxy/net/worker.h"

namespace weir {

class Listener {
 public:
  // Port 0 takes a free one. Unavailable names the address and the cause.
  static StatusOr<std::unique_ptr<Listener>> Open(Worker& worker, const std::string& host,
                                                  uint16_t port);
  ~Listener();

  uint16_t port() const;
  // Without a free file descriptor it closes what it cannot take, one a tenth of a second.
  // Hands each accepted socket (non-blocking, tuned) to `on_socket`, on the worker, until Close().
  // Call on the worker.
  void Start(std::function<void(int)> on_socket);
  // Accepts no more. Call on the worker, or when it does not run.
  void Close();

 private:
  struct Impl;
  explicit Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir
