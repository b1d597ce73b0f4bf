#include "proxy/net/tls_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "proxy/net/signal.h"
#include "tests/proxy/net/net_fixture.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string RsaKeyPem() {
  EVP_PKEY* key = EVP_RSA_gen(2048);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const auto size = static_cast<size_t>(BIO_get_mem_data(bio, &data));
  std::string pem(data, size);
  BIO_free(bio);
  EVP_PKEY_free(key);
  return pem;
}

class TlsContextTest : public ::testing::Test {
 protected:
  struct Result {
    Status client, server;
    std::vector<std::string> presented;
    std::string protocol;
  };

  TlsContextTest() { worker_.Start(); }
  ~TlsContextTest() override { worker_.Stop(); }

  static Async<void> Accept(Stream* stream, Result* result, Signal* done) {
    result->server = co_await stream->Handshake(true);
    if (result->server.ok()) result->presented = PeerCertificates(stream->ssl());
    done->Notify();
  }
  // Shakes hands; the client also waits for an alert of the server, which comes afterwards in
  // TLS 1.3.
  Result Shake(SSL* client_ssl, SSL* server_ssl) {
    Result result;
    RunOn(worker_, [&]() -> Async<void> {
      const SocketPair sockets = ConnectedSockets();
      Stream client(worker_, sockets.client, client_ssl);
      Stream server(worker_, sockets.server, server_ssl);
      Signal done(worker_);
      worker_.Spawn(Accept(&server, &result, &done));
      result.client = co_await client.Handshake(false);
      if (result.client.ok()) {
        result.protocol = NegotiatedProtocol(client.ssl());
      } else {
        client.Close();
      }
      co_await done.Wait();
    });
    return result;
  }
  SSL* Client(const std::string& name, TlsClientContext::Options options) {
    return TlsClientContext::Make(options).value()->NewSsl(name);
  }
  TlsClientContext::Options Trusting() const {
    TlsClientContext::Options options;
    options.ca_pem = tls_.ca().certificate().pem;
    return options;
  }

  TlsPair tls_;
  Worker worker_{0};
};

TEST_F(TlsContextTest, WhatCannotBeUsedIsNamedByOptionAndFile) {
  const TempFolder folder;
  const TestCertificate other = tls_.ca().Issue({.subject = {{"CN", "other"}}});
  TlsServerContext::Options options;
  options.cert_file = folder.PathOf("missing.crt");
  options.key_file = folder.Write("other.key", other.key_pem);
  EXPECT_THAT(std::string(Message(TlsServerContext::Make(options).status())),
              AllOf(HasSubstr("--tls-cert-file"), HasSubstr("missing.crt")));
  options.cert_file = folder.Write("tls.crt", tls_.server_certificate().pem);
  EXPECT_THAT(std::string(Message(TlsServerContext::Make(options).status())),
              AllOf(HasSubstr("--tls-private-key-file"), HasSubstr("other.key"),
                    HasSubstr("tls.crt"), HasSubstr("mismatch")));
}

TEST_F(TlsContextTest, AClientsKeyMustBelongToItsCertificate) {
  TlsClientContext::Options options = Trusting();
  options.cert_pem = tls_.server_certificate().pem;
  options.key_pem = tls_.ca().Issue({.subject = {{"CN", "x"}}}).key_pem;
  EXPECT_THAT(std::string(Message(TlsClientContext::Make(options).status())),
              HasSubstr("client key"));
  options.key_pem = RsaKeyPem();
  EXPECT_THAT(std::string(Message(TlsClientContext::Make(options).status())),
              HasSubstr("client key"))
      << "of another type";
  options.key_pem = "rubbish";
  EXPECT_FALSE(TlsClientContext::Make(options).ok());
  options.cert_pem = "rubbish";
  EXPECT_THAT(std::string(Message(TlsClientContext::Make(options).status())),
              HasSubstr("client certificate"));
  options = {};
  options.ca_pem = "rubbish";
  EXPECT_THAT(std::string(Message(TlsClientContext::Make(options).status())),
              HasSubstr("certificate-authority"));
}

TEST_F(TlsContextTest, TheServersNameIsVerified) {
  EXPECT_TRUE(Shake(Client("localhost", Trusting()), tls_.NewServer()).client.ok());
  EXPECT_TRUE(Shake(Client("127.0.0.1", Trusting()), tls_.NewServer()).client.ok());
  for (const char* name : {"example.org", "127.0.0.2", "::1", "server"}) {
    const Result result = Shake(Client(name, Trusting()), tls_.NewServer());
    EXPECT_TRUE(absl::IsUnavailable(result.client)) << name;
    EXPECT_THAT(std::string(Message(result.client)), HasSubstr("certificate verify failed"));
    EXPECT_FALSE(result.server.ok());
  }
}

TEST_F(TlsContextTest, AnotherAuthoritysServerIsRefusedUnlessNobodyLooks) {
  const TestCa stranger("stranger");
  TlsClientContext::Options options;
  options.ca_pem = stranger.certificate().pem;
  EXPECT_FALSE(Shake(Client("localhost", options), tls_.NewServer()).client.ok());
  options.insecure_skip_verify = true;
  EXPECT_TRUE(Shake(Client("example.org", options), tls_.NewServer()).client.ok());
}

TEST_F(TlsContextTest, AnIntermediateInTheBundleIsAnAnchor) {
  const TestCa intermediate = tls_.ca().IssueCa("intermediate");
  const TestCertificate leaf = intermediate.Issue(
      {.subject = {{"CN", "s"}}, .extended_key_usage = "serverAuth", .alt_names = "DNS:localhost"});
  TlsServerContext::Options server;
  const TempFolder folder;
  server.cert_file = folder.Write("tls.crt", leaf.pem);
  server.key_file = folder.Write("tls.key", leaf.key_pem);
  TlsClientContext::Options client;
  client.ca_pem = intermediate.certificate().pem;
  EXPECT_TRUE(Shake(Client("localhost", client), TlsServerContext::Make(server).value()->NewSsl())
                  .client.ok());
}

TEST_F(TlsContextTest, Http2IsPreferredWhereItIsOffered) {
  const TestCertificate& certificate = tls_.server_certificate();
  TlsServerContext::Options options;
  options.cert_file = tls_.folder().Write("h2.crt", certificate.pem);
  options.key_file = tls_.folder().Write("h2.key", certificate.key_pem);
  for (const bool http2 : {true, false}) {
    options.http2 = http2;
    SSL* const client = Client("localhost", Trusting());
    const unsigned char both[] = "\x08http/1.1\x02h2";
    SSL_set_alpn_protos(client, both, sizeof(both) - 1);
    const Result result = Shake(client, TlsServerContext::Make(options).value()->NewSsl());
    EXPECT_EQ(result.protocol, http2 ? "h2" : "http/1.1");
  }
}

TEST_F(TlsContextTest, NoCommonProtocolEndsTheHandshake) {
  SSL* const client = Client("localhost", Trusting());
  const unsigned char other[] = {2, 'h', '3'};
  SSL_set_alpn_protos(client, other, sizeof(other));
  const Result result = Shake(client, tls_.NewServer());
  EXPECT_FALSE(result.client.ok());
  EXPECT_FALSE(result.server.ok());

  SSL* const silent = Client("localhost", Trusting());
  SSL_set_alpn_protos(silent, nullptr, 0);
  const Result none = Shake(silent, tls_.NewServer());
  EXPECT_TRUE(none.client.ok()) << "a client without ALPN is served";
  EXPECT_EQ(none.protocol, "");
}

TEST_F(TlsContextTest, AClientCertificateReachesTheServerWithItsChain) {
  const TestCa intermediate = tls_.ca().IssueCa("intermediate");
  const TestCertificate alice = intermediate.Issue({.subject = {{"CN", "alice"}}});
  TlsClientContext::Options options = Trusting();
  options.cert_pem = alice.pem + intermediate.certificate().pem;
  options.key_pem = alice.key_pem;
  const Result result = Shake(Client("localhost", options), tls_.NewServer());
  EXPECT_THAT(result.presented, ElementsAre(alice.der, intermediate.certificate().der));
}

TEST_F(TlsContextTest, NoVerificationFailureEndsAServersHandshake) {
  const TestCa stranger("stranger");
  const TestCertificate mallory =
      stranger.Issue({.subject = {{"CN", "mallory"}}, .valid_for_seconds = -60});
  TlsClientContext::Options options = Trusting();
  options.cert_pem = mallory.pem;
  options.key_pem = mallory.key_pem;
  const Result result = Shake(Client("localhost", options), tls_.NewServer());
  EXPECT_TRUE(result.server.ok()) << "judged per request, by the authenticator";
  EXPECT_THAT(result.presented, ElementsAre(mallory.der));
  EXPECT_THAT(Shake(Client("localhost", Trusting()), tls_.NewServer()).presented, IsEmpty());
}

TEST_F(TlsContextTest, Tls13OnlyMeansIt) {
  TlsServerContext::Options server;
  server.cert_file = tls_.folder().PathOf("tls.crt");
  server.key_file = tls_.folder().PathOf("tls.key");
  server.tls13_only = true;
  const auto context = TlsServerContext::Make(server).value();
  SSL* const old = Client("localhost", Trusting());
  SSL_set_max_proto_version(old, TLS1_2_VERSION);
  EXPECT_FALSE(Shake(old, context->NewSsl()).client.ok());
  SSL* const twelve = Client("localhost", Trusting());
  SSL_set_max_proto_version(twelve, TLS1_2_VERSION);
  EXPECT_TRUE(Shake(twelve, tls_.NewServer()).client.ok());
}

}  // namespace
}  // namespace weir
