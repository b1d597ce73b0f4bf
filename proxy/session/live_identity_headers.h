// The names of identity headers that are in use: the configured ones, and what the API server says.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/mutex.h"
#include "proxy/session/identity_headers.h"

namespace weir {

// Thread-safe. Names are only ever added: a connection may still speak to an API server that
// believes an older one.
class LiveIdentityHeaders {
 public:
  explicit LiveIdentityHeaders(IdentityHeaderNames configured);

  // As they are now; lasts as long as this.
  const IdentityHeaderNames& operator*() const { return *now_.load(std::memory_order_acquire); }
  // Whether the API server has said its own, or that it does not tell.
  bool complete() const { return complete_.load(std::memory_order_acquire); }

  // What the API server says, in any spelling. More than 256 in all are not taken up, and it is as
  // if it had not said any: an error in the log.
  void Add(const std::vector<std::string>& names, const std::vector<std::string>& prefixes);

 private:
  std::atomic<const IdentityHeaderNames*> now_;
  std::atomic<bool> complete_{false};
  Mutex mutex_;
  // Readers hold older ones.
  std::vector<std::unique_ptr<const IdentityHeaderNames>> all_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace weir
