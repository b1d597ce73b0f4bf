#include "proxy/rebalance/ask_replicas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/net/listener.h"
#include "tests/proxy/net/net_fixture.h"
#include "tests/proxy/rebalance/replica_fixture.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AskReplicasTest : public ::testing::Test {
 protected:
  AskReplicasTest() { worker_.Start(); }
  ~AskReplicasTest() override {
    CallOn(worker_, [this] { listeners_.clear(); });
    worker_.Discard();
  }

  ReplicaAnswers Ask(std::vector<HostPort> names, Duration timeout = 1h) {
    ReplicaAnswers answers;
    RunOn(worker_,
          [&]() -> Async<void> { answers = co_await AskReplicas(worker_, names, timeout); });
    return answers;
  }
  // A port at which the kernel takes connections, and nobody says anything.
  HostPort SilentPort() {
    listeners_.push_back(Listener::Open(worker_, "127.0.0.1", 0).value());
    return {"127.0.0.1", listeners_.back()->port()};
  }

  Worker worker_{0};
  std::vector<std::unique_ptr<Listener>> listeners_;
};

TEST_F(AskReplicasTest, EachAddressIsAsked) {
  FakeReplica a(120), b(7, false);
  const ReplicaAnswers answers = Ask({a.address(), b.address()});
  ASSERT_THAT(answers.replicas, SizeIs(2));
  uint64_t sum = 0;
  for (const ReplicaLoad& replica : answers.replicas) {
    sum += replica.connections;
    EXPECT_EQ(replica.ready, replica.instance == a.instance());
  }
  EXPECT_EQ(sum, 127u);
  EXPECT_THAT(answers.silent, IsEmpty());
}

TEST_F(AskReplicasTest, AReplicaOfSeveralNamesIsOne) {
  FakeReplica a(120);
  FakeReplica other_door(120, true, a.instance());
  const HostPort by_name{"localhost", a.address().port};
  const ReplicaAnswers answers = Ask({a.address(), by_name, a.address(), other_door.address()});
  EXPECT_THAT(answers.replicas, SizeIs(1));
  EXPECT_THAT(answers.silent, IsEmpty());
}

TEST_F(AskReplicasTest, ANameOfWhichNobodyAnswersIsToldWithTheReason) {
  FakeReplica a(120);
  const HostPort nobody{"127.0.0.1", 1};
  const HostPort unknown{"no-such-host.invalid", 8081};
  const ReplicaAnswers answers = Ask({nobody, a.address(), unknown});
  EXPECT_THAT(answers.replicas, SizeIs(1));
  ASSERT_THAT(answers.silent, SizeIs(2));
  EXPECT_EQ(answers.silent[0].name.port, 1);
  EXPECT_THAT(answers.silent[0].why, HasSubstr("refused"));
  EXPECT_EQ(answers.silent[1].name.host, "no-such-host.invalid");
  EXPECT_THAT(answers.silent[1].why, HasSubstr("lookup"));
}

TEST_F(AskReplicasTest, OneThatIsSilentHoldsUpNobodyForLong) {
  FakeReplica a(120);
  std::vector<HostPort> names(20, SilentPort());
  names.push_back(a.address());
  const ReplicaAnswers answers = Ask(names, 50ms);
  EXPECT_THAT(answers.replicas, SizeIs(1));
  EXPECT_THAT(answers.silent, SizeIs(20));
}

TEST_F(AskReplicasTest, WhoIsNoReplicaIsNotBelieved) {
  AdminSources sources;
  sources.rebalancez = [] { return std::string("{}"); };
  const auto other = AdminServer::Start("127.0.0.1", 0, std::move(sources)).value();
  sources.rebalancez = [] { return std::string(100'000, ' '); };
  const auto endless = AdminServer::Start("127.0.0.1", 0, std::move(sources)).value();
  const ReplicaAnswers answers =
      Ask({{"127.0.0.1", other->port()}, {"127.0.0.1", endless->port()}});
  EXPECT_THAT(answers.replicas, IsEmpty());
  ASSERT_THAT(answers.silent, SizeIs(2));
  EXPECT_THAT(answers.silent[0].why, HasSubstr("no instance"));
  EXPECT_THAT(answers.silent[1].why, HasSubstr("too long"));
}

TEST_F(AskReplicasTest, NobodyIsAskedWhereThereAreNoNames) {
  const ReplicaAnswers answers = Ask({});
  EXPECT_THAT(answers.replicas, IsEmpty());
  EXPECT_THAT(answers.silent, IsEmpty());
}

}  // namespace
}  // namespace weir
