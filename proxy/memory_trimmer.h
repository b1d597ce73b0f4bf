// Gives memory that was freed back to the system, away from the workers: after a large cache has
// ended malloc_trim() takes a tenth of a second.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace weir {

class MemoryTrimmer {
 public:
  MemoryTrimmer();
  ~MemoryTrimmer();  // Waits for a trim under way.
  MemoryTrimmer(const MemoryTrimmer&) = delete;
  MemoryTrimmer& operator=(const MemoryTrimmer&) = delete;

  // Trims in a second: what is being freed comes from several threads. Thread-safe.
  void Request();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  bool ending_ = false;
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace weir
