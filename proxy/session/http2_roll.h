// Which of a worker's HTTP/2 connections may be sent away: those that still take new streams, by
// the age of their first answer, so that one is found without looking at the others, of which most
// may be leaving already.
#pragma once

#include <atomic>
#include <cstddef>
#include <list>

#include "proxy/admin/metrics.h"

namespace weir {

class Http2Session;

// Thread-affine but for the two numbers. Outlives its entries.
class Http2Roll {
 public:
  // A connection's place. Each step is taken once and costs O(1). Whoever was nobody yet, or has
  // asked nothing, has none: else strangers who hold connections could have others sent away.
  //
  //   new ── Join() ─▶ takes new streams ── Leave() ─▶ leaving ── End() ─▶ over
  //    └─────────────────────────── Leave(), End() ──────────────────────▲
  class Entry {
   public:
    Entry(Http2Roll& roll, Http2Session& session) : roll_(roll), session_(session) {}
    ~Entry() { End(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    // An authenticated client is answered.
    void Join() {
      if (state_ != State::kNew) return;
      place_ = roll_.taking_.insert(roll_.taking_.end(), &session_);
      roll_.Count(roll_.taking_count_, 1);
      ProcessMetrics().http2_taking.Add();
      state_ = State::kTaking;
    }
    // The client was told, or is about to be, that it has to connect anew for more.
    void Leave() {
      if (state_ == State::kNew) state_ = State::kOver;
      if (state_ != State::kTaking) return;
      StopTaking();
      roll_.Count(roll_.leaving_count_, 1);
      state_ = State::kLeaving;
    }
    // The connection is gone, or goes now, whatever runs on it.
    void End() {
      if (state_ == State::kTaking) StopTaking();
      if (state_ == State::kLeaving) roll_.Count(roll_.leaving_count_, -1);
      state_ = State::kOver;
    }

   private:
    enum class State : uint8_t { kNew, kTaking, kLeaving, kOver };
    void StopTaking() {
      roll_.taking_.erase(place_);
      roll_.Count(roll_.taking_count_, -1);
      ProcessMetrics().http2_taking.Sub();
    }

    Http2Roll& roll_;
    Http2Session& session_;
    std::list<Http2Session*>::iterator place_;  // Valid while it takes streams.
    State state_ = State::kNew;
  };

  Http2Roll() = default;
  Http2Roll(const Http2Roll&) = delete;
  Http2Roll& operator=(const Http2Roll&) = delete;

  // Of those that take new streams the one that has been here longest; null: there is none. Who has
  // just come, perhaps because he was sent, is the last to be sent on.
  Http2Session* oldest() const { return taking_.empty() ? nullptr : taking_.front(); }

  // Thread-safe.
  size_t taking() const { return taking_count_.load(std::memory_order_relaxed); }
  size_t leaving() const { return leaving_count_.load(std::memory_order_relaxed); }

 private:
  static void Count(std::atomic<size_t>& number, int by) {
    number.fetch_add(static_cast<size_t>(by), std::memory_order_relaxed);
  }

  std::list<Http2Session*> taking_;
  std::atomic<size_t> taking_count_{0};
  std::atomic<size_t> leaving_count_{0};
};

}  // namespace weir
