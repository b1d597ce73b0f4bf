// Many things that each have one time at which they are due, on a single timer: 16 bytes each,
// where a timer of the executor costs 150.
//
// Thread-affine to the executor. The heap holds a reference to each of its members.
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/base/executor.h"
#include "protocol/base/ref_counted.h"

namespace weir {

class DueHeap {
 public:
  class Member {
   public:
    virtual ~Member() = default;
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // Its time has come. It may move or remove itself and others, at once or later; one that does
    // neither is asked again in the next turn.
    virtual void OnDue() = 0;

    void Ref() const { references_.Increment(); }
    void Unref() const {
      if (references_.Decrement()) delete this;
    }

   protected:
    Member() = default;

   private:
    friend class DueHeap;
    static constexpr uint32_t kNowhere = UINT32_MAX;
    RefCount references_;
    uint32_t slot_ = kNowhere;
  };

  explicit DueHeap(Executor& executor) : executor_(executor) {}
  ~DueHeap();
  DueHeap(const DueHeap&) = delete;
  DueHeap& operator=(const DueHeap&) = delete;

  // Adds it, or moves it. O(log n).
  void Set(Member& member, TimePoint due);
  // Of one that is not here nothing happens. May destroy it. O(log n).
  void Remove(Member& member);
  // All of them; may destroy them.
  void Clear();
  // Calls OnDue() of all, whatever their times.
  void WakeAll();

  size_t size() const { return heap_.size(); }
  bool empty() const { return heap_.empty(); }

 private:
  struct Entry {
    TimePoint due;
    RefPtr<Member> member;
  };

  void Place(size_t slot, Entry entry);
  void Up(size_t slot, Entry entry);
  void Down(size_t slot, Entry entry);
  void Arm();
  void Fire();

  Executor& executor_;
  std::vector<Entry> heap_;  // The earliest first, each before its children 2n+1 and 2n+2.
  Executor::TimerId timer_ = 0;
  TimePoint armed_for_ = TimePoint::max();
};

}  // namespace weir
