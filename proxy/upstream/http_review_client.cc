#include "proxy/upstream/http_review_client.h"

#include <algorithm>
#include <utility>

#include "proxy/admin/metrics.h"
#include "proxy/config/version.h"

namespace weir {

namespace {

constexpr Duration kTimeout = std::chrono::seconds(10);
constexpr size_t kMaxBody = 1 << 20;

Async<StatusOr<ReviewAnswer>> Ask(UpstreamPool& pool, UpstreamConnection& connection,
                                  const std::string& path, const std::string& body,
                                  TimePoint deadline) {
  http::RequestHead head;
  head.method = "POST";
  head.target = path;
  head.body = {http::BodyFraming::Kind::kLength, body.size()};
  head.headers.Add("Accept", "application/json");
  head.headers.Add("Content-Type", "application/json");
  head.headers.Add("User-Agent", "weir/" + std::string(Version()));
  if (const std::string token = pool.upstream().OwnAuthorization(); !token.empty()) {
    head.headers.Add("Authorization", token);
  }
  const auto left = [&] {
    return std::max(deadline - pool.worker().Now(), Duration(std::chrono::milliseconds(1)));
  };
  connection.SetDeadline(deadline);
  WEIR_CO_TRY(co_await connection.SendHead(std::move(head)));
  WEIR_CO_TRY(co_await connection.SendBody(body));
  StatusOr<http::ResponseHead> response = co_await connection.ReadHead("POST", left());
  while (response.ok() && response->status < 200 && response->status != 101)
    response = co_await connection.ReadHead("POST", left());
  if (!response.ok()) co_return response.status();
  pool.upstream().ReportAnswer(Upstream::Own::kReview, response->status);
  if (response->status == 401) pool.upstream().DropToken();
  ReviewAnswer answer;
  answer.status = response->status;
  connection.SetDeadline(deadline);
  for (;;) {
    const StatusOr<std::string_view> piece = co_await connection.ReadBody();
    if (!piece.ok()) co_return piece.status();
    if (piece->empty()) break;
    if (answer.body.size() + piece->size() > kMaxBody)
      co_return ResourceExhausted("review answer above 1 MiB");
    answer.body.append(*piece);
  }
  connection.SetDeadline(TimePoint::max());
  co_return answer;
}

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
    // A kept connection may have died unseen; a review changes nothing, so it may be asked twice.
    for (bool fresh = false;; fresh = true) {
      StatusOr<std::unique_ptr<UpstreamConnection>> connection =
          co_await pool.Acquire(CredentialClass::kOwn, fresh);
      if (!connection.ok()) {
        done(connection.status());
        co_return;
      }
      const bool reused = (*connection)->requests() > 0;
      StatusOr<ReviewAnswer> answer = co_await Ask(pool, **connection, path, body, deadline);
      if (!answer.ok() && !fresh && reused && absl::IsUnavailable(answer.status())) continue;
      pool.Release(std::move(*connection));
      done(std::move(answer));
      co_return;
    }
  }

  UpstreamPool& pool_;
};

}  // namespace

std::unique_ptr<ReviewClient> MakeHttpReviewClient(UpstreamPool& pool) {
  return std::make_unique<HttpReviewClient>(pool);
}

}  // namespace weir
