// A ReviewClient that keeps what is posted until the test answers.
#pragma once

#include <deque>
#include <string>
#include <utility>

#include "proxy/auth/review_client.h"

namespace weir {

class FakeReviews : public ReviewClient {
 public:
  struct Posted {
    std::string path;
    std::string body;
    absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done;
  };

  void Post(std::string path, std::string body,
            absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done) override {
    ++count_;
    pending_.push_back({std::move(path), std::move(body), std::move(done)});
  }

  // Answers the oldest that waits.
  void Answer(StatusOr<ReviewAnswer> answer) {
    Posted posted = std::move(pending_.front());
    pending_.pop_front();
    posted.done(std::move(answer));
  }
  void Answer(std::string body) { Answer(ReviewAnswer{.status = 201, .body = std::move(body)}); }
  void Fail(int status) { Answer(ReviewAnswer{.status = status, .body = "{}"}); }

  const std::deque<Posted>& pending() const { return pending_; }
  size_t count() const { return count_; }  // Of all ever posted.

 private:
  std::deque<Posted> pending_;
  size_t count_ = 0;
};

}  // namespace weir
