// The configuration as it is at the moment: what may change while the process runs follows the file
// that --config names.
//
// Reading costs an atomic load, and what was read stays: every configuration that ever was is kept,
// a few kilobytes for each change of the file. Whoever lives long and has to follow reads again.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "proxy/config/config.h"

namespace weir {

class LiveConfig {
 public:
  // `first` outlives it.
  explicit LiveConfig(const Config& first) : current_(&first) {}
  LiveConfig(const LiveConfig&) = delete;
  LiveConfig& operator=(const LiveConfig&) = delete;

  // From any thread.
  const Config& operator*() const { return *current_.load(std::memory_order_acquire); }
  const Config* operator->() const { return &**this; }

  struct Changes {
    std::vector<std::string> taken_up;  // "--name=value".
    std::vector<std::string> waiting;   // That only a restart takes up; empty where as last time.
  };
  // Of `read` the options that may change (Option::live) become current. By one thread.
  Changes TakeUp(const Config& read);

 private:
  std::atomic<const Config*> current_;
  std::vector<std::unique_ptr<const Config>> later_;
  std::vector<std::string> waiting_;
};

}  // namespace weir
