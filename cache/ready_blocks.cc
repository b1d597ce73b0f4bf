#include "cache/ready_blocks.h"

#include <utility>

namespace weir {
namespace {

std::atomic<size_t> g_held{0};
std::atomic<size_t> g_limit{size_t{512} << 20};

size_t FootprintOf(const http::DeflatedBlocks& blocks) {
  return sizeof(blocks) + blocks.bytes.capacity();
}

}  // namespace

const http::DeflatedBlocks* ReadyBlocks::Keep(ReadyForm form, http::DeflatedBlocks& blocks) const {
  const size_t bytes = FootprintOf(blocks);
  if (g_held.fetch_add(bytes, std::memory_order_relaxed) + bytes >
      g_limit.load(std::memory_order_relaxed)) {
    g_held.fetch_sub(bytes, std::memory_order_relaxed);
    return nullptr;
  }
  const auto* const made = new http::DeflatedBlocks(std::move(blocks));
  const http::DeflatedBlocks* kept = nullptr;
  if (slots_[static_cast<size_t>(form)].compare_exchange_strong(
          kept, made, std::memory_order_acq_rel, std::memory_order_acquire)) {
    return made;
  }
  g_held.fetch_sub(bytes, std::memory_order_relaxed);
  delete made;
  return kept;
}

void ReadyBlocks::Clear() {
  for (auto& slot : slots_) {
    const http::DeflatedBlocks* const blocks = slot.load(std::memory_order_relaxed);
    if (blocks == nullptr) continue;
    slot.store(nullptr, std::memory_order_relaxed);
    g_held.fetch_sub(FootprintOf(*blocks), std::memory_order_relaxed);
    delete blocks;
  }
}

size_t ReadyBlocks::held_bytes() { return g_held.load(std::memory_order_relaxed); }
void ReadyBlocks::SetLimit(size_t bytes) { g_limit.store(bytes, std::memory_order_relaxed); }

}  // namespace weir
