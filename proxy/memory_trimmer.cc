#include "proxy/memory_trimmer.h"

#include <malloc.h>

#include <chrono>

namespace weir {

MemoryTrimmer::MemoryTrimmer() : thread_([this] { Run(); }) {}

MemoryTrimmer::~MemoryTrimmer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void MemoryTrimmer::Request() {
  {
    const std::lock_guard lock(mutex_);
    requested_ = true;
  }
  changed_.notify_one();
}

void MemoryTrimmer::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return requested_ || ending_; });
    if (ending_) return;
    changed_.wait_for(lock, std::chrono::seconds(1), [this] { return ending_; });
    requested_ = false;
    lock.unlock();
    malloc_trim(0);
    lock.lock();
  }
}

}  // namespace weir
