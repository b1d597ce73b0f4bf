#include "proxy/net/dial.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/listener.h"
#include "tests/proxy/net/net_fixture.h"

namespace {
constexpr auto kSlow = std::chrono::milliseconds(700);
}

// The system's resolver, but one name takes its time.
extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  if (node != nullptr && std::strcmp(node, "slow.test") == 0) {
    std::this_thread::sleep_for(kSlow);
    return EAI_NONAME;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "getaddrinfo"));
  return next(node, service, hints, result);
}

namespace weir {
namespace {

using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DialTest : public ::testing::Test {
 protected:
  DialTest() { worker_.Start(); }
  ~DialTest() override { worker_.Discard(); }

  StatusOr<int> DialFor(const std::string& host, uint16_t port, Duration time) {
    StatusOr<int> result = Internal("not dialled");
    RunOn(worker_, [&]() -> Async<void> {
      result = co_await Dial(worker_, host, port, worker_.Now() + time);
    });
    return result;
  }

  Worker worker_{0};
};

TEST_F(DialTest, AHangingLookupEndsAtTheDeadline) {
  const auto begun = std::chrono::steady_clock::now();
  const auto socket = DialFor("slow.test", 443, milliseconds(50));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, kSlow);
  EXPECT_TRUE(absl::IsUnavailable(socket.status()));
  EXPECT_TRUE(IsLookupFailure(socket.status()));
  EXPECT_THAT(std::string(Message(socket.status())),
              HasSubstr("dial tcp: lookup slow.test: i/o timeout"));
}

TEST_F(DialTest, ANameThatIsNobodysIsTold) {
  const auto socket = DialFor("slow.test", 443, std::chrono::hours(1));
  EXPECT_THAT(std::string(Message(socket.status())), HasSubstr("lookup slow.test: Host not found"));
}

TEST_F(DialTest, ANameIsAllItsAddresses) {
  const auto look_up = [this](const std::string& host) {
    StatusOr<std::vector<std::string>> result = Internal("not looked up");
    RunOn(worker_, [&]() -> Async<void> {
      result = co_await LookUpHost(worker_, host, 443, worker_.Now() + std::chrono::hours(1));
    });
    return result;
  };
  EXPECT_THAT(look_up("localhost").value(), Contains("127.0.0.1"));
  EXPECT_THAT(look_up("::1").value(), ElementsAre("::1"));
  EXPECT_TRUE(IsLookupFailure(look_up("slow.test").status()));
}

TEST_F(DialTest, ANameIsFound) {
  auto listener = Listener::Open(worker_, "127.0.0.1", 0).value();
  const auto socket = DialFor("localhost", listener->port(), std::chrono::hours(1));
  ASSERT_TRUE(socket.ok()) << socket.status();
  close(*socket);
  CallOn(worker_, [&] { listener->Close(); });
}

}  // namespace
}  // namespace weir
