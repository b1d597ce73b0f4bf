// The simulator over real TLS sockets on loopback, on a thread of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <thread>

#include "bench/sim/certificates.h"
#include "bench/sim/sim_fixture.h"
#include "bench/sim/simulator.h"

namespace weir::sim {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A blocking client: one request, the whole answer until the server closes.
class Client {
 public:
  Client(const std::string& directory, const std::string& certificate)
      : tls_(net::ssl::context::tls_client) {
    tls_.load_verify_file(directory + "/ca.crt");
    tls_.set_verify_mode(net::ssl::verify_peer);
    if (certificate.empty()) return;
    tls_.use_certificate_chain_file(directory + "/" + certificate + ".crt");
    tls_.use_private_key_file(directory + "/" + certificate + ".key", net::ssl::context::pem);
  }

  // Without a `clean` end the connection was cut.
  std::string Ask(uint16_t port, const std::string& target, bool* clean = nullptr,
                  const std::string& fields = "") {
    net::io_context io;
    net::ssl::stream<net::ip::tcp::socket> stream(io, tls_);
    boost::system::error_code error;
    stream.next_layer().connect({net::ip::address_v4::loopback(), port}, error);
    if (!error) stream.handshake(net::ssl::stream_base::client, error);
    const std::string request =
        "GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + fields + "\r\n";
    if (!error) net::write(stream, net::buffer(request), error);
    std::string answer;
    char buffer[4096];
    while (!error) {
      const size_t size = stream.read_some(net::buffer(buffer), error);
      answer.append(buffer, size);
    }
    if (clean != nullptr) *clean = answer.ends_with("0\r\n\r\n");
    return answer;
  }

 private:
  net::ssl::context tls_;
};

class SimServerTest : public ::testing::Test {
 protected:
  SimServerTest() {
    directory_ = testing::TempDir() + "weir-sim-" + std::to_string(getpid());
    SimulatorOptions options;
    options.server.port = 0;
    options.control_port = 0;
    options.data_dir = directory_;
    options.sizes = SimFixture::SmallSizes();
    auto made = Simulator::Make(io_, std::move(options));
    EXPECT_TRUE(made.ok()) << Message(made.status());
    simulator_ = *std::move(made);
    thread_ = std::thread([this] { io_.run(); });
  }
  ~SimServerTest() override {
    io_.stop();
    thread_.join();
    std::filesystem::remove_all(directory_);
  }

  std::string Get(const std::string& target, bool* clean = nullptr,
                  const std::string& certificate = "admin", const std::string& fields = "") {
    return Client(directory_, certificate).Ask(simulator_->port(), target, clean, fields);
  }
  std::string Control(const std::string& request) {
    net::io_context io;
    net::ip::tcp::socket socket(io);
    boost::system::error_code error;
    socket.connect({net::ip::address_v4::loopback(), *simulator_->control_port()}, error);
    net::write(socket, net::buffer(request + " HTTP/1.1\r\nHost: x\r\n\r\n"), error);
    std::string answer(4096, '\0');
    answer.resize(socket.read_some(net::buffer(answer), error));
    return answer;
  }

  std::string directory_;
  net::io_context io_{1};
  std::unique_ptr<Simulator> simulator_;
  std::thread thread_;
};

TEST_F(SimServerTest, AnAdministratorsCertificateReadsEverything) {
  const std::string answer = Get("/api/v1/pods");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nAudit-Id: "));
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, HasSubstr(R"({"kind":"PodList")"));
  EXPECT_THAT(answer, EndsWith("0\r\n\r\n"));
}

TEST_F(SimServerTest, ShortAnswersHaveALength) {
  EXPECT_THAT(Get("/api/v1/namespaces/default/configmaps", nullptr, "admin", "Audit-ID: mine\r\n"),
              testing::AllOf(HasSubstr("Audit-Id: mine\r\n"), HasSubstr("Content-Length: "),
                             EndsWith("]}\n")));
}

TEST_F(SimServerTest, TheTokenFileWorksToo) {
  const auto token = ReadFile(directory_ + "/token");
  ASSERT_TRUE(token.ok());
  EXPECT_THAT(Get("/api/v1/nodes", nullptr, "", "Authorization: Bearer " + *token + "\r\n"),
              StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Get("/api/v1/nodes", nullptr, ""), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(Get("/api/v1/nodes", nullptr, "", "Authorization: Bearer x\r\n"),
              StartsWith("HTTP/1.1 401"));
}

TEST_F(SimServerTest, TheFrontProxysCertificateSpeaksForItsUsers) {
  EXPECT_THAT(Get("/api/v1/nodes", nullptr, "front-proxy-client",
                  "X-Remote-User: ann\r\nX-Remote-Group: system:masters\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(SimServerTest, AWatchStreamsUntilItsTimeIsUp) {
  bool clean = false;
  const std::string answer =
      Get("/api/v1/nodes?watch=1&timeoutSeconds=1&allowWatchBookmarks=true", &clean);
  EXPECT_TRUE(clean);
  EXPECT_THAT(answer, HasSubstr(R"({"type":"ADDED","object":{"kind":"Node")"));
  EXPECT_THAT(answer, HasSubstr("k8s.io/initial-events-end"));
}

TEST_F(SimServerTest, ACutEndsTheConnectionInsideAFrame) {
  EXPECT_THAT(Control("POST /sim/fault?kind=cut&resource=nodes"), StartsWith("HTTP/1.1 200"));
  bool clean = true;
  const std::string answer = Get("/api/v1/nodes?watch=1&timeoutSeconds=5", &clean);
  EXPECT_FALSE(clean);
  EXPECT_THAT(answer, HasSubstr(R"("type":"ADDED")"));
  EXPECT_THAT(Control("GET /sim/status"), HasSubstr(R"("watch nodes":1)"));
}

TEST_F(SimServerTest, CredentialsSurviveARestart) {
  const auto before = ReadFile(directory_ + "/ca.crt");
  ASSERT_TRUE(MakeCertificates(directory_, {}).ok());
  EXPECT_EQ(*ReadFile(directory_ + "/ca.crt"), *before);
  EXPECT_THAT(*ReadFile(directory_ + "/kubeconfig"),
              HasSubstr("https://127.0.0.1:" + std::to_string(simulator_->port())));
}

}  // namespace
}  // namespace weir::sim
