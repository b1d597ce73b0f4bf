#include "proxy/admin/admin_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A blocking connection to the server, as a probe would make one.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view bytes) const {
    ASSERT_EQ(send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Until `end` has come, or the end of the stream.
  std::string ReadUntil(std::string_view end) const {
    std::string text;
    char buffer[4096];
    while (end.empty() || !text.ends_with(end)) {
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) break;
      text.append(buffer, static_cast<size_t>(got));
    }
    return text;
  }
  std::string ReadAll() const { return ReadUntil({}); }
  bool connected() const { return connected_; }

 private:
  int fd_;
  bool connected_ = false;
};

class AdminServerTest : public ::testing::Test {
 protected:
  AdminServerTest() {
    AdminSources sources;
    sources.livez = [] { return std::vector<HealthCheck>{{"ping", OkStatus()}}; };
    sources.readyz = [] { return std::vector<HealthCheck>{{"shutdown", Unavailable("stopping")}}; };
    sources.metrics = [](MetricsWriter& writer) {
      writer.Family("weir_x", MetricType::kCounter, std::string(1 << 20, 'x'));
      writer.Sample({}, uint64_t{1});
    };
    server_ = AdminServer::Start("127.0.0.1", 0, std::move(sources)).value();
  }

  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, AnswersOneRequestAfterAnotherOnAConnection) {
  const Client client(server_->port());
  client.Send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string first = client.ReadUntil("\r\n\r\nok");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("Content-Length: 2\r\n"));
  client.Send(
      "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\nConnection: "
      "close\r\n\r\n");
  const std::string rest = client.ReadAll();
  EXPECT_THAT(rest, StartsWith("HTTP/1.1 500 Internal Server Error\r\n"));
  EXPECT_THAT(rest,
              HasSubstr("[-]shutdown failed: stopping\nreadyz check failed\nHTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(rest, EndsWith("\r\n\r\nok"));
}

TEST_F(AdminServerTest, SendsLargePages) {
  const Client client(server_->port());
  client.Send("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string page = client.ReadAll();
  EXPECT_GT(page.size(), size_t{1} << 20);
  EXPECT_THAT(page, EndsWith("weir_x 1\n"));
}

TEST_F(AdminServerTest, HeadHasNoBody) {
  const Client client(server_->port());
  client.Send("HEAD /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.ReadAll(), EndsWith("\r\n\r\n"));
}

TEST_F(AdminServerTest, GarbageAndBodiesEndTheConnection) {
  const Client garbage(server_->port());
  garbage.Send("\x16\x03\x01 nonsense\r\n\r\n");
  EXPECT_THAT(garbage.ReadAll(), HasSubstr(" 400 "));
  const Client body(server_->port());
  body.Send("GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_THAT(body.ReadAll(), HasSubstr("Connection: close\r\n"));
  const Client endless(server_->port());
  endless.Send("GET /livez HTTP/1.1\r\nX: " + std::string(10000, 'x'));
  EXPECT_EQ(endless.ReadAll(), "");
}

TEST_F(AdminServerTest, EndsWithOpenConnections) {
  const Client idle(server_->port());
  const Client half(server_->port());
  ASSERT_TRUE(idle.connected());
  half.Send("GET /liv");
  const Client busy(server_->port());
  busy.Send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
  busy.ReadUntil("ok");
  server_.reset();
  EXPECT_EQ(idle.ReadAll(), "");
}

TEST_F(AdminServerTest, ATakenPortIsNamed) {
  const auto second = AdminServer::Start("127.0.0.1", server_->port(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(Message(second.status())),
              StartsWith("--admin-bind-address=\"127.0.0.1:"));
}

}  // namespace
}  // namespace weir
