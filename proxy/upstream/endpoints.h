// The API servers that Weir may ask: which of them answer, and how much each has to do.
//
// Thread-safe; one per process. With a single one nothing is decided here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "protocol/base/executor.h"
#include "protocol/base/mutex.h"

namespace weir {

class Endpoints : public std::enable_shared_from_this<Endpoints> {
 public:
  enum class Health : uint8_t {
    kReady,     // Or never checked.
    kNotReady,  // Answers, and says that it is starting or shutting down, or does not know Weir.
    kDead,      // Does not answer, and sends nothing else.
  };
  // Something that lasts and is of no use once its endpoint is dead: a connection. Called on its
  // own executor only.
  class Member {
   public:
    virtual ~Member() = default;
    virtual void OnEndpointDead() = 0;
  };
  // A request under way at an endpoint, as long as it lives.
  class Request {
   public:
    Request() = default;
    explicit Request(std::atomic<int64_t>& count) : count_(&count) { count.fetch_add(1); }
    Request(Request&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
    Request& operator=(Request&& other) noexcept {
      std::swap(count_, other.count_);
      return *this;
    }
    ~Request() {
      if (count_ != nullptr) count_->fetch_sub(1);
    }

   private:
    std::atomic<int64_t>* count_ = nullptr;
  };

  explicit Endpoints(size_t count) : all_(count) {}

  size_t count() const { return all_.size(); }
  // All of them, as they are to be tried: the ready ones first, the dead ones last, and among
  // equals one that could not be reached within the last second behind the others, then by the
  // requests under way, then in turn.
  std::vector<size_t> Order(TimePoint now);
  // Another one than `endpoint`, where there is one: the first in that order.
  size_t OtherThan(size_t endpoint, TimePoint now);

  // It could not be reached.
  void NoteFailure(size_t endpoint, TimePoint now);
  // Something came from it.
  void NoteHeard(size_t endpoint, TimePoint now) {
    if (count() > 1)
      all_[endpoint].heard.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  // When something did last.
  TimePoint heard(size_t endpoint) const {
    return TimePoint(Duration(all_[endpoint].heard.load()));
  }
  Health health(size_t endpoint) const { return all_[endpoint].health.load(); }
  // Whether there is another to turn to: one that is ready, or has at least said something since.
  // One that does not know Weir is another only to its like.
  bool AnotherAnswers(size_t endpoint, TimePoint since) const;
  // Whether its last answer to a check was that it does not know Weir.
  void SetStranger(size_t endpoint, bool stranger) { all_[endpoint].stranger.store(stranger); }
  // Tells the members of one that is dead from now on, each by a post to its executor.
  void SetHealth(size_t endpoint, Health health);

  Request Begin(size_t endpoint) { return Request(all_[endpoint].requests); }
  int64_t requests(size_t endpoint) const { return all_[endpoint].requests.load(); }

  // On the member's own executor. It leaves before it ends.
  void Join(size_t endpoint, Executor& executor, Member& member);
  void Leave(Member& member);

 private:
  struct Endpoint {
    std::atomic<Health> health{Health::kReady};
    std::atomic<bool> stranger{false};
    std::atomic<int64_t> failed{0};  // When, since the clock's epoch.
    std::atomic<int64_t> heard{0};   // Likewise.
    std::atomic<int64_t> requests{0};
  };
  struct Place {
    size_t endpoint;
    Executor* executor;
  };

  std::vector<Member*> MembersOf(const Place& place) const;

  std::vector<Endpoint> all_;
  std::atomic<size_t> turn_{0};
  mutable Mutex mutex_;
  absl::flat_hash_map<Member*, Place> members_ ABSL_GUARDED_BY(mutex_);
};

std::string_view ToString(Endpoints::Health health);

}  // namespace weir
