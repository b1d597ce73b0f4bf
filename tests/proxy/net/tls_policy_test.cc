// What a client can and cannot have of TLS. Two SSLs over memory, so that the peer can be one that
// no honest client is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "proxy/config/cipher_suites.h"
#include "proxy/net/tls_context.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

class TlsPolicyTest : public ::testing::Test {
 protected:
  TlsPolicyTest() : ca_("ca"), pair_(ca_.Issue({.subject = {{"CN", "weir"}}})) {
    options_.cert_file = folder_.Write("tls.crt", pair_.pem);
    options_.key_file = folder_.Write("tls.key", pair_.key_pem);
  }
  ~TlsPolicyTest() override { End(); }

  void End() {
    SSL_free(client_);
    SSL_free(server_);
    SSL_CTX_free(client_context_);
    client_ = server_ = nullptr;
    client_context_ = nullptr;
  }
  SSL_CTX* NewClient() {
    End();
    client_context_ = SSL_CTX_new(TLS_client_method());
    // A client that would take anything.
    SSL_CTX_set_security_level(client_context_, 0);
    SSL_CTX_set_min_proto_version(client_context_, TLS1_VERSION);
    SSL_CTX_clear_options(client_context_, SSL_OP_NO_COMPRESSION);
    return client_context_;
  }
  // True: both sides are through.
  bool Shake() {
    context_ = TlsServerContext::Make(options_).value();
    server_ = context_->NewSsl();
    client_ = SSL_new(client_context_);
    BIO* here = nullptr;
    BIO* there = nullptr;
    BIO_new_bio_pair(&here, 0, &there, 0);
    SSL_set_bio(client_, here, here);
    SSL_set_bio(server_, there, there);
    SSL_set_connect_state(client_);
    SSL_set_accept_state(server_);
    return Turns();
  }
  bool Turns() {
    for (int i = 0; i < 20; ++i) {
      const int client = SSL_do_handshake(client_);
      const int server = SSL_do_handshake(server_);
      if (client == 1 && server == 1) return true;
    }
    return false;
  }
  std::string Cipher() const { return SSL_get_cipher_name(server_); }

  TempFolder folder_;
  TestCa ca_;
  TestCertificate pair_;
  TlsServerContext::Options options_;
  std::shared_ptr<const TlsServerContext> context_;
  SSL_CTX* client_context_ = nullptr;
  SSL* client_ = nullptr;
  SSL* server_ = nullptr;
};

TEST_F(TlsPolicyTest, OnlyTls12AndTls13) {
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    SSL_CTX_set_max_proto_version(NewClient(), version);
    EXPECT_FALSE(Shake()) << version;
  }
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(NewClient(), version);
    EXPECT_TRUE(Shake()) << version;
    EXPECT_EQ(SSL_version(server_), version);
  }
  options_.tls13_only = true;
  SSL_CTX_set_max_proto_version(NewClient(), TLS1_2_VERSION);
  EXPECT_FALSE(Shake());
}

TEST_F(TlsPolicyTest, OnlyForwardSecretAuthenticatedEncryption) {
  for (const char* cipher :
       {"ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
        "AES128-GCM-SHA256", "AES128-SHA", "DHE-RSA-AES128-GCM-SHA256", "eNULL", "aNULL"}) {
    SSL_CTX* client = NewClient();
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    ASSERT_EQ(SSL_CTX_set_cipher_list(client, cipher), 1) << cipher;
    EXPECT_FALSE(Shake()) << cipher;
  }
}

TEST_F(TlsPolicyTest, NamedCipherSuitesAreTheOnlyOnes) {
  options_.cipher_list = OpenSslCiphers({"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                                         "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"})
                             .value();
  SSL_CTX_set_max_proto_version(NewClient(), TLS1_2_VERSION);
  ASSERT_TRUE(Shake());
  EXPECT_THAT(Cipher(), HasSubstr("CHACHA20-POLY1305"));
  SSL_CTX* client = NewClient();
  SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(client, "ECDHE+AESGCM");
  EXPECT_FALSE(Shake());
  NewClient();
  EXPECT_TRUE(Shake()) << "TLS 1.3 is not chosen by it";
  EXPECT_EQ(SSL_version(server_), TLS1_3_VERSION);
}

TEST_F(TlsPolicyTest, NamesAreKubernetesAndInsecureOnesAreRefused) {
  EXPECT_EQ(OpenSslCiphers({}).value(), "");
  EXPECT_EQ(OpenSslCiphers({"TLS_AES_128_GCM_SHA256"}).value(), kNoTls12Ciphers);
  EXPECT_EQ(OpenSslCiphers({"TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"})
                .value(),
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
  for (const char* name : {"TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_SHA",
                           "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"}) {
    EXPECT_THAT(std::string(Message(OpenSslCiphers({name}).status())), HasSubstr("is insecure"));
  }
  EXPECT_THAT(std::string(Message(OpenSslCiphers({"ECDHE-RSA-AES128-GCM-SHA256"}).status())),
              HasSubstr("no such cipher suite"));
}

TEST_F(TlsPolicyTest, NoCompressionNoTicketNoResumptionNoEarlyData) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX* client = NewClient();
    SSL_CTX_set_max_proto_version(client, version);
    SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT);
    static int sessions = 0;
    sessions = 0;
    SSL_CTX_sess_set_new_cb(client, [](SSL*, SSL_SESSION* session) {
      if (SSL_SESSION_has_ticket(session) != 0) ++sessions;
      return 0;
    });
    ASSERT_TRUE(Shake());
    char byte = 0;
    EXPECT_LE(SSL_read(client_, &byte, 1), 0);  // A ticket of TLS 1.3 would come now.
    EXPECT_EQ(sessions, 0);
    EXPECT_EQ(SSL_get_current_compression(server_), nullptr);
    EXPECT_EQ(SSL_get_max_early_data(server_), 0u);
    EXPECT_EQ(SSL_session_reused(server_), 0);
  }
}

TEST_F(TlsPolicyTest, RenegotiationIsRefused) {
  SSL_CTX* client = NewClient();
  SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
  ASSERT_TRUE(Shake());
  ASSERT_EQ(SSL_renegotiate(client_), 1);
  SSL_do_handshake(client_);
  char byte = 0;
  SSL_read(server_, &byte, 1);  // Answers with the alert no_renegotiation.
  EXPECT_LE(SSL_do_handshake(client_), 0);
  EXPECT_EQ(SSL_total_renegotiations(server_), 0);
}

}  // namespace
}  // namespace weir
