// Every kind of key and group that a client or a server may have still shakes hands without the
// algorithms that were left out.
#include "proxy/net/tls_algorithms.h"

#include <gtest/gtest.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "proxy/net/tls_context.h"
#include "tests/fakes/temp_folder.h"

namespace weir {
namespace {

struct Free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
  void operator()(SSL* p) const { SSL_free(p); }
  void operator()(BIO* p) const { BIO_free(p); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<EVP_PKEY> NewKey(const std::string& type) {
  if (type == "RSA") return Owned<EVP_PKEY>(EVP_RSA_gen(2048));
  if (type == "RSA-PSS") {
    EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
    EVP_PKEY* key = nullptr;
    EVP_PKEY_keygen_init(context);
    EVP_PKEY_generate(context, &key);
    EVP_PKEY_CTX_free(context);
    return Owned<EVP_PKEY>(key);
  }
  if (type.starts_with("P-")) return Owned<EVP_PKEY>(EVP_EC_gen(type.c_str()));
  return Owned<EVP_PKEY>(EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str()));
}

Owned<X509> SelfSigned(EVP_PKEY* key, bool has_own_digest) {
  Owned<X509> certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_sign(certificate.get(), key, has_own_digest ? nullptr : EVP_sha256());
  return certificate;
}

std::string Pem(X509* certificate, EVP_PKEY* key) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  if (certificate != nullptr) PEM_write_bio_X509(bio.get(), certificate);
  if (key != nullptr)
    PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

int CountDecoders(OSSL_LIB_CTX* library) {
  int count = 0;
  OSSL_DECODER_do_all_provided(
      library, [](OSSL_DECODER*, void* sum) { ++*static_cast<int*>(sum); }, &count);
  return count;
}

TEST(HandshakeAlgorithms, FewDecodersAreAsked) {
  ASSERT_NE(HandshakeAlgorithms(), nullptr);
  EXPECT_EQ(HandshakeAlgorithms(), HandshakeAlgorithms());
  EXPECT_GE(CountDecoders(nullptr), 30);
  const int here = CountDecoders(HandshakeAlgorithms());
  EXPECT_GE(here, 5);  // RSA, RSA-PSS, EC, ED25519, ED448.
  EXPECT_LE(here, 6);
}

constexpr const char* kGroups[] = {"X25519", "P-256", "P-384", "P-521"};

// Key of the server, key of the client, group, version.
using Case = std::tuple<std::string, std::string, std::string, int>;

class HandshakeTest : public ::testing::TestWithParam<Case> {};

TEST_P(HandshakeTest, Succeeds) {
  const auto& [server_type, client_type, group, version] = GetParam();
  const Owned<EVP_PKEY> server_key = NewKey(server_type);
  const Owned<EVP_PKEY> client_key = NewKey(client_type);
  ASSERT_NE(server_key, nullptr);
  ASSERT_NE(client_key, nullptr);
  const Owned<X509> server_certificate =
      SelfSigned(server_key.get(), server_type.starts_with("ED"));
  const Owned<X509> client_certificate =
      SelfSigned(client_key.get(), client_type.starts_with("ED"));

  const TempFolder folder;
  TlsServerContext::Options options;
  options.cert_file = folder.Write("tls.crt", Pem(server_certificate.get(), nullptr));
  options.key_file = folder.Write("tls.key", Pem(nullptr, server_key.get()));
  const auto made = TlsServerContext::Make(options);
  ASSERT_TRUE(made.ok()) << made.status();

  const Owned<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), version);
  // With TLS 1.2 the groups are those of certificates too.
  std::string groups = group;
  for (const char* other : kGroups)
    if (version == TLS1_2_VERSION && other != group) groups += std::string(":") + other;
  ASSERT_EQ(SSL_CTX_set1_groups_list(context.get(), groups.c_str()), 1);
  ASSERT_EQ(SSL_CTX_use_certificate(context.get(), client_certificate.get()), 1);
  ASSERT_EQ(SSL_CTX_use_PrivateKey(context.get(), client_key.get()), 1);

  const Owned<SSL> server((*made)->NewSsl());
  const Owned<SSL> client(SSL_new(context.get()));
  BIO* here = nullptr;
  BIO* there = nullptr;
  ASSERT_EQ(BIO_new_bio_pair(&here, 0, &there, 0), 1);
  SSL_set_bio(client.get(), here, here);
  SSL_set_bio(server.get(), there, there);
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());
  bool through = false;
  for (int i = 0; i < 20 && !through; ++i) {
    const int of_client = SSL_do_handshake(client.get());
    const int of_server = SSL_do_handshake(server.get());
    through = of_client == 1 && of_server == 1;
  }
  ASSERT_TRUE(through);
  EXPECT_EQ(SSL_version(server.get()), version);
  unsigned char* der = nullptr;
  const int size = i2d_X509(client_certificate.get(), &der);
  EXPECT_EQ(PeerCertificates(server.get()),
            std::vector<std::string>{
                std::string(reinterpret_cast<char*>(der), static_cast<size_t>(size))});
  OPENSSL_free(der);
}

constexpr const char* kKeys[] = {"RSA", "P-256", "P-384", "P-521", "RSA-PSS", "ED25519", "ED448"};
constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

// All kinds of keys with one group, then all groups.
std::vector<Case> Cases() {
  std::vector<Case> cases;
  for (const int version : kVersions) {
    for (const char* key : kKeys) {
      cases.emplace_back(key, "P-256", "X25519", version);
      cases.emplace_back("P-256", key, "X25519", version);
    }
    for (const char* group : kGroups) cases.emplace_back("P-256", "P-256", group, version);
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Kinds, HandshakeTest, ::testing::ValuesIn(Cases()));

}  // namespace
}  // namespace weir
