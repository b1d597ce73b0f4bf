// Intrusive shared ownership for immutable data that many threads read: objects, tree nodes,
// batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir {

// Points at a T with `void Ref() const` and `void Unref() const`. Copying counts; moving does not.
template <typename T>
class RefPtr {
 public:
  RefPtr() = default;
  RefPtr(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  // Takes over the reference that a new object is born with.
  static RefPtr Adopt(T* raw) {
    RefPtr ref;
    ref.raw_ = raw;
    return ref;
  }
  // Adds a reference.
  static RefPtr Share(T* raw) {
    if (raw != nullptr) raw->Ref();
    return Adopt(raw);
  }

  RefPtr(const RefPtr& other) : raw_(other.raw_) {
    if (raw_ != nullptr) raw_->Ref();
  }
  RefPtr(RefPtr&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  RefPtr(const RefPtr<U>& other) : raw_(other.get()) {  // NOLINT(google-explicit-constructor)
    if (raw_ != nullptr) raw_->Ref();
  }
  template <typename U>
    requires std::is_convertible_v<U*, T*>
  RefPtr(RefPtr<U>&& other) noexcept
      : raw_(other.release()) {}  // NOLINT(google-explicit-constructor)
  RefPtr& operator=(RefPtr other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~RefPtr() {
    if (raw_ != nullptr) raw_->Unref();
  }

  T* get() const { return raw_; }
  T* operator->() const { return raw_; }
  T& operator*() const { return *raw_; }
  explicit operator bool() const { return raw_ != nullptr; }
  // Gives the reference away; the caller now owns it.
  T* release() { return std::exchange(raw_, nullptr); }

  friend bool operator==(const RefPtr& a, const RefPtr& b) { return a.raw_ == b.raw_; }

 private:
  T* raw_ = nullptr;
};

// The count itself. Starts at one: the creator's reference.
class RefCount {
 public:
  void Increment() const { count_.fetch_add(1, std::memory_order_relaxed); }
  // True when this was the last reference: the caller destroys the object.
  bool Decrement() const { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }
  // True when nobody but the caller holds it, so it may be changed in place.
  bool IsOne() const { return count_.load(std::memory_order_acquire) == 1; }

 private:
  mutable std::atomic<uint32_t> count_{1};
};

}  // namespace weir
