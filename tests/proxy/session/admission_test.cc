#include "proxy/session/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "proxy/admin/metrics.h"

namespace weir {
namespace {

using Pool = Admission::Pool;

Caller User(std::string name, std::vector<std::string> groups = {}) {
  Identity identity;
  identity.name = std::move(name);
  identity.groups = std::move(groups);
  return Caller::Of(identity);
}

class AdmissionTest : public ::testing::Test {
 protected:
  AdmissionTest() {
    config_.max_requests_inflight = 8;
    config_.max_cached_requests_inflight = 8;
    config_.max_watches = 8;
    config_.max_bytes_inflight = 1000;
    config_.max_share_per_user = 25;
  }
  ~AdmissionTest() override {
    tickets_.clear();
    EXPECT_EQ(admission_.callers(), 0u) << "the table holds nobody who has nothing under way";
    EXPECT_EQ(admission_.bytes(), 0u);
  }
  bool Enter(Pool pool, const Caller& caller) {
    auto ticket = admission_.Enter(pool, caller);
    const bool entered = ticket.has_value();
    if (entered) tickets_.push_back(*std::move(ticket));
    return entered;
  }
  static uint64_t Terminations(TerminationLabel why) {
    return ProcessMetrics().terminations[why].value();
  }

  Config config_;
  LiveConfig live_{config_};
  Admission admission_{live_};
  std::vector<Admission::Ticket> tickets_;
};

TEST_F(AdmissionTest, OneAddressDoesNotTakeAllRoomForProbes) {
  const Caller greedy = Caller::OfAddress("192.0.2.1");
  int entered = 0;
  while (entered < 100 && Enter(Pool::kProbe, greedy)) ++entered;
  EXPECT_LT(entered, 100);
  EXPECT_TRUE(Enter(Pool::kProbe, Caller::OfAddress("192.0.2.2")));
}

TEST_F(AdmissionTest, ForwardedStreamsHaveABoundOfTheirOwn) {
  config_.max_forwarded_streams = 8;
  LiveConfig live(config_);
  Admission admission(live);
  std::vector<Admission::Ticket> tickets;
  const auto enter = [&](const char* name) {
    auto ticket = admission.Enter(Pool::kForwardedStream, User(name));
    if (ticket.has_value()) tickets.push_back(*std::move(ticket));
    return ticket.has_value();
  };
  EXPECT_TRUE(enter("greedy"));
  EXPECT_TRUE(enter("greedy"));
  EXPECT_FALSE(enter("greedy")) << "a quarter of them";
  for (const char* name : {"a", "b", "c"}) EXPECT_TRUE(enter(name) && enter(name));
  EXPECT_FALSE(enter("d"));
  EXPECT_EQ(admission.in_use(Pool::kWatch), 0);
}

TEST_F(AdmissionTest, NobodyEntersAFullPoolUntilSomebodyLeaves) {
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(Enter(Pool::kCached, User(std::to_string(i))));
  const uint64_t before = Terminations(TerminationLabel::kFull);
  EXPECT_FALSE(Enter(Pool::kCached, User("late")));
  EXPECT_EQ(Terminations(TerminationLabel::kFull), before + 1);
  EXPECT_EQ(admission_.in_use(Pool::kCached), 8);
  EXPECT_TRUE(Enter(Pool::kForwardedRead, User("late"))) << "another pool";
  tickets_.erase(tickets_.begin());
  EXPECT_TRUE(Enter(Pool::kCached, User("late")));
}

TEST_F(AdmissionTest, NoUserGetsMoreThanHisShare) {
  const uint64_t before = Terminations(TerminationLabel::kShare);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(Enter(Pool::kWatch, User("greedy")));
  EXPECT_FALSE(Enter(Pool::kWatch, User("greedy")));
  EXPECT_EQ(Terminations(TerminationLabel::kShare), before + 1);
  EXPECT_TRUE(Enter(Pool::kWatch, User("modest"))) << "others do not notice";
  EXPECT_TRUE(Enter(Pool::kCached, User("greedy"))) << "each pool has its shares";
  config_.max_share_per_user = 100;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Enter(Pool::kWatch, User("greedy")));
}

TEST_F(AdmissionTest, AShareIsAtLeastOne) {
  config_.max_requests_inflight = 2;
  EXPECT_TRUE(Enter(Pool::kForwardedRead, User("a")));
  EXPECT_FALSE(Enter(Pool::kForwardedRead, User("a")));
  EXPECT_TRUE(Enter(Pool::kForwardedRead, User("b")));
}

TEST_F(AdmissionTest, SystemMastersAreAlwaysServed) {
  const Caller master = User("admin", {"system:authenticated", "system:masters"});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Enter(Pool::kCached, master));
  EXPECT_TRUE(tickets_.back().TakeBytes(5000));
  EXPECT_FALSE(Enter(Pool::kCached, User("system:masters"))) << "a name is no group";
}

TEST_F(AdmissionTest, BytesAreBoundedInAllAndPerUser) {
  for (const char* name : {"a", "a", "b", "c", "d"}) ASSERT_TRUE(Enter(Pool::kCached, User(name)));
  EXPECT_TRUE(tickets_[0].TakeBytes(200));
  EXPECT_FALSE(tickets_[1].TakeBytes(100)) << "more than a's share";
  EXPECT_TRUE(tickets_[1].TakeBytes(50));
  EXPECT_TRUE(tickets_[2].TakeBytes(750)) << "b's first may exceed the share";
  EXPECT_EQ(admission_.bytes(), 1000u);
  const uint64_t before = Terminations(TerminationLabel::kBytes);
  EXPECT_FALSE(tickets_[3].TakeBytes(1));
  EXPECT_EQ(Terminations(TerminationLabel::kBytes), before + 1);
  tickets_[0].Leave();
  EXPECT_TRUE(tickets_[3].TakeBytes(200));
}

TEST_F(AdmissionTest, AnAnswerLargerThanTheBoundIsSentAlone) {
  ASSERT_TRUE(Enter(Pool::kCached, User("a")));
  ASSERT_TRUE(Enter(Pool::kCached, User("b")));
  EXPECT_TRUE(tickets_[0].TakeBytes(1'000'000));
  EXPECT_FALSE(tickets_[1].TakeBytes(1));
}

TEST_F(AdmissionTest, TokensAndUsersAndAddressesAreNotMistakenForEachOther) {
  Credentials credentials;
  credentials.kind = Credentials::Kind::kToken;
  credentials.token = "alice";
  EXPECT_NE(Caller::Of(credentials).key, User("alice").key);
  EXPECT_NE(Caller::OfAddress("alice").key, User("alice").key);
  const Credentials none, other;
  EXPECT_EQ(Caller::Of(none).key, Caller::Of(other).key) << "all anonymous ones are one";
  auto identity = std::make_shared<Identity>();
  identity->name = "alice";
  credentials.kind = Credentials::Kind::kCertificate;
  credentials.identity = identity;
  EXPECT_EQ(Caller::Of(credentials).key, User("alice").key);
}

TEST_F(AdmissionTest, ConnectionsPerAddressAreOffByDefaultAndBoundedWhenAsked) {
  const Caller address = Caller::OfAddress("192.0.2.1");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Enter(Pool::kAddressConnection, address));
  tickets_.clear();
  config_.max_connections_per_address = 2;
  const uint64_t before = ProcessMetrics().connections_refused.value();
  EXPECT_TRUE(Enter(Pool::kAddressConnection, address));
  EXPECT_TRUE(Enter(Pool::kAddressConnection, address));
  EXPECT_FALSE(Enter(Pool::kAddressConnection, address));
  EXPECT_EQ(ProcessMetrics().connections_refused.value(), before + 1);
  EXPECT_TRUE(Enter(Pool::kAddressConnection, Caller::OfAddress("192.0.2.2")));
}

TEST_F(AdmissionTest, AHostOfIpv6IsItsNetwork) {
  const auto key = [](const char* address) { return Caller::OfAddress(address).key; };
  EXPECT_EQ(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
  EXPECT_NE(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
  EXPECT_NE(key("::ffff:192.0.2.1"), key("::ffff:192.0.2.2"));
  EXPECT_NE(key("192.0.2.1"), key("192.0.2.2"));
}

TEST_F(AdmissionTest, ManyThreadsNeverExceedTheBoundAndLeaveNothing) {
  std::atomic<int> inside{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        const auto ticket = admission_.Enter(Pool::kCached, User(std::to_string((t + i) % 7)));
        if (!ticket.has_value()) continue;
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most.load(), 8);
  EXPECT_EQ(admission_.in_use(Pool::kCached), 0);
}

}  // namespace
}  // namespace weir
