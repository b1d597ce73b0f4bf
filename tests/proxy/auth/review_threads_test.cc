// Authenticator and authorizer under real threads: meant for TSan.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "proxy/auth/authenticator.h"
#include "proxy/auth/authorizer.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

// Answers each review later, on its own executor, by what it asks: tokens of even numbers are good.
class EchoReviews : public ReviewClient {
 public:
  explicit EchoReviews(Executor& executor) : executor_(executor) {}

  void Post(std::string path, std::string body,
            absl::AnyInvocable<void(StatusOr<ReviewAnswer>)> done) override {
    const bool token = path.find("tokenreviews") != std::string::npos;
    std::string answer = R"({"kind":"SubjectAccessReview","status":{"allowed":true}})";
    if (token) {
      const char digit = body.at(body.find("\"token\":\"") + 9);
      answer =
          (digit - '0') % 2 == 0
              ? R"({"kind":"TokenReview","status":{"authenticated":true,"user":{"username":"u"}}})"
              : R"({"kind":"TokenReview","status":{"user":{},"error":"bad"}})";
    }
    executor_.Post([done = std::move(done), answer = std::move(answer)]() mutable {
      done(ReviewAnswer{.status = 201, .body = std::move(answer)});
    });
  }

 private:
  Executor& executor_;
};

constexpr int kWorkers = 4;
constexpr int kRounds = 300;

struct Shared {
  std::unique_ptr<Authenticator> authenticator = Authenticator::Make({}).value();
  std::unique_ptr<Authorizer> authorizer = Authorizer::Make({});
  std::atomic<int> heard{0};
  std::atomic<int> wrong{0};
};

// One thread's work: its executor is made, run and ended here, but not before all threads have
// heard everything.
void Work(Shared& shared) {
  ManualExecutor executor;
  EchoReviews reviews(executor);
  int asked = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int number = round % 8;
    http::HeaderList headers;
    headers.Add("Authorization", "Bearer " + std::to_string(number) +
                                     std::string(1, static_cast<char>('a' + round / 8 % 26)));
    shared.authenticator->Authenticate(
        {}, headers, executor, reviews, [&shared, number](AuthResult result) {
          const bool good = result.kind == AuthResult::Kind::kAuthenticated;
          if (good != (number % 2 == 0)) ++shared.wrong;
          ++shared.heard;
        });
    auto identity = std::make_shared<Identity>();
    identity->name = "u" + std::to_string(number);
    Attributes attributes;
    attributes.verb = "list";
    attributes.resource = {.group = "", .version = "v1", .resource = "pods"};
    attributes.name = std::to_string(round);
    shared.authorizer->Authorize(
        identity, attributes, executor, reviews, [&shared](Verdict verdict) {
          if (verdict.kind != Verdict::Kind::kAllowed || verdict.authorized == nullptr)
            ++shared.wrong;
          ++shared.heard;
        });
    asked += 2;
    if (round % 3 == 0) executor.RunReady();
  }
  while (shared.heard.load() < kWorkers * 2 * kRounds) {
    executor.RunReady();
    std::this_thread::yield();
  }
  EXPECT_EQ(asked, 2 * kRounds);
}

TEST(ReviewThreadsTest, WorkersShareVerdictsAndEveryoneHearsExactlyOnce) {
  Shared shared;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i) threads.emplace_back([&shared] { Work(shared); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared.heard.load(), kWorkers * 2 * kRounds);
  EXPECT_EQ(shared.wrong.load(), 0);
}

}  // namespace
}  // namespace weir
