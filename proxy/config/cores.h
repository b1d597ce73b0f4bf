// How much CPU this process may use.
#pragma once

#include <cstdint>

namespace weir {

// Cores of the affinity mask, or fewer where the cgroup's cpu.max says so (rounded up); at least 1.
uint32_t AvailableCores();

}  // namespace weir
