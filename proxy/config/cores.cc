#include "proxy/config/cores.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

namespace weir {
namespace {

// "max 100000" or "150000 100000" (quota and period, microseconds); 0 for no limit.
uint32_t CgroupCores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");  // A container sees its own cgroup as the root.
  uint64_t quota = 0;
  uint64_t period = 0;
  if (!(file >> quota >> period) || period == 0) return 0;
  return static_cast<uint32_t>(std::min<uint64_t>((quota + period - 1) / period, 1024));
}

}  // namespace

uint32_t AvailableCores() {
  const uint32_t cores = std::max(1u, std::thread::hardware_concurrency());
  const uint32_t limit = CgroupCores();
  return limit == 0 ? cores : std::min(cores, limit);
}

}  // namespace weir
