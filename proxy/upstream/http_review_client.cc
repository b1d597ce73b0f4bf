#include "proxy/upstream/http_review_client.h"

#include <utility>

#include "proxy/admin/metrics.h"
#include "proxy/upstream/own_request.h"

namespace weir {

namespace {

constexpr Duration kTimeout = std::chrono::seconds(10);

class HttpReviewClient : public ReviewClient {
 public:
  explicit HttpReviewClient(UpstreamPool& pool) : pool_(pool) {}

  void Post(std::string path, std::string body,
            absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done) override {
    pool_.worker().Post([&pool = pool_, path = std::move(path), body = std::move(body),
                         done = std::move(done)]() mutable {
      pool.worker().Spawn(Run(pool, std::move(path), std::move(body), std::move(done)));
    });
  }

 private:
  static Async<void> Run(UpstreamPool& pool, std::string path, std::string body,
                         absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done) {
    ProcessMetrics().upstream_reviews.Add();
    const TimePoint deadline = pool.worker().Now() + kTimeout;
    StatusOr<OwnAnswer> answer =
        co_await AskAsSelf(pool, "POST", std::move(path), std::move(body), deadline);
    if (!answer.ok()) {
      done(answer.status());
      co_return;
    }
    pool.upstream().ReportAnswer(Upstream::Own::kReview, answer->status);
    done(ReviewAnswer{answer->status, std::move(answer->body)});
  }

  UpstreamPool& pool_;
};

}  // namespace

std::unique_ptr<ReviewClient> MakeHttpReviewClient(UpstreamPool& pool) {
  return std::make_unique<HttpReviewClient>(pool);
}

}  // namespace weir
