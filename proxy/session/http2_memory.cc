#include "proxy/session/http2_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "protocol/base/mutex.h"

namespace weir {
namespace {

constexpr size_t kSlotBytes = 20 * 1024;  // Whole pages of the common 4 KiB.
constexpr size_t kLeastBytes = 16 * 1024;
constexpr size_t kMaxSlots = size_t{1} << 18;  // 5 GiB of addresses.
constexpr size_t kSlotsAtOnce = 1024;

class Slots {
 public:
  Slots() {
    // Addresses alone: nothing that a limit on memory counts, until slots are opened.
    void* const reserved = mmap(nullptr, kMaxSlots * kSlotBytes, PROT_NONE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) return;
    // A huge page would be resident as a whole.
    static_cast<void>(madvise(reserved, kMaxSlots * kSlotBytes, MADV_NOHUGEPAGE));
    begin_ = static_cast<char*>(reserved);
    end_ = begin_ + kMaxSlots * kSlotBytes;
  }

  bool Has(const void* p) const { return p >= begin_ && p < end_; }

  // Null: there is none.
  void* Take() {
    const MutexLock lock(mutex_);
    if (!free_.empty()) {
      const uint32_t slot = free_.back();
      free_.pop_back();
      return At(slot);
    }
    if (used_ == open_ && !OpenMore()) return nullptr;
    return At(used_++);
  }

  void GiveBack(void* p) {
    // Of larger pages a part would be another's.
    if (kSlotBytes % page_ == 0) static_cast<void>(madvise(p, kSlotBytes, MADV_DONTNEED));
    const auto slot = static_cast<size_t>(static_cast<char*>(p) - begin_) / kSlotBytes;
    const MutexLock lock(mutex_);
    free_.push_back(static_cast<uint32_t>(slot));
  }

  FrameBufferUse Measure() const {
    const MutexLock lock(mutex_);
    FrameBufferUse use;
    use.buffers = used_ - free_.size();
    std::vector<unsigned char> pages(used_ * kSlotBytes / page_ + 1);
    if (used_ == 0 || mincore(begin_, used_ * kSlotBytes, pages.data()) != 0) return use;
    for (const unsigned char resident : pages) use.resident_bytes += (resident & 1) * page_;
    return use;
  }

 private:
  // And room to give all of them back, where memory may not be had.
  bool OpenMore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (begin_ == nullptr || open_ == kMaxSlots) return false;
    try {
      free_.reserve(open_ + kSlotsAtOnce);
    } catch (const std::bad_alloc&) {
      return false;
    }
    if (mprotect(At(open_), kSlotsAtOnce * kSlotBytes, PROT_READ | PROT_WRITE) != 0) return false;
    open_ += kSlotsAtOnce;
    return true;
  }

  char* At(size_t slot) const { return begin_ + slot * kSlotBytes; }

  const size_t page_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  char* begin_ = nullptr;
  char* end_ = nullptr;
  mutable Mutex mutex_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;  // Slots that may be written to.
  size_t used_ ABSL_GUARDED_BY(mutex_) = 0;  // Slots that were ever taken.
  std::vector<uint32_t> free_ ABSL_GUARDED_BY(mutex_);
};

Slots& AllSlots() {
  static auto* const slots = new Slots();  // Sessions may end after the statics.
  return *slots;
}

void* Allocate(size_t size, void*) {
  if (size >= kLeastBytes && size <= kSlotBytes) {
    if (void* const slot = AllSlots().Take()) return slot;
  }
  return std::malloc(size);
}

void Free(void* p, void*) {
  if (AllSlots().Has(p)) return AllSlots().GiveBack(p);
  std::free(p);
}

void* Zeroed(size_t count, size_t size, void*) { return std::calloc(count, size); }

void* Resize(void* p, size_t size, void* context) {
  if (p == nullptr) return Allocate(size, context);
  if (!AllSlots().Has(p)) return std::realloc(p, size);
  if (size <= kSlotBytes) return p;
  void* const larger = std::malloc(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, p, kSlotBytes);
  Free(p, context);
  return larger;
}

}  // namespace

nghttp2_mem* SessionMemory() {
  static nghttp2_mem memory = {nullptr, Allocate, Free, Zeroed, Resize};
  return &memory;
}

FrameBufferUse MeasureFrameBuffers() { return AllSlots().Measure(); }

}  // namespace weir
