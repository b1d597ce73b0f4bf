#include "proxy/config/kubeconfig.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <filesystem>

#include "proxy/config/base64.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Base64(const std::string& bytes) {
  std::string out(4 * (bytes.size() / 3 + 1) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

std::string Text(const StatusOr<UpstreamConfig>& config) {
  return config.ok() ? "OK" : std::string(Message(config.status()));
}

class KubeconfigTest : public ::testing::Test {
 protected:
  KubeconfigTest() : pair_(ca_.Issue({.subject = {{"CN", "weir"}}})) {
    folder_.Write("ca.crt", ca_.certificate().pem);
    folder_.Write("weir.crt", pair_.pem);
    folder_.Write("weir.key", pair_.key_pem);
    folder_.Write("token", " abc.def \n");
  }

  // `cluster` and `user` are flow maps without braces.
  StatusOr<UpstreamConfig> Read(std::string_view cluster, std::string_view user) const {
    return ReadKubeconfig(Write(cluster, user));
  }
  std::string Write(std::string_view cluster, std::string_view user) const {
    return folder_.Write("kubeconfig", fmt::format(R"(apiVersion: v1
kind: Config
current-context: main
contexts:
- name: other
  context: {{cluster: nowhere, user: nobody}}
- name: main
  context: {{cluster: c, user: u}}
clusters:
- name: c
  cluster: {{{}}}
users:
- name: u
  user: {{{}}}
)",
                                                   cluster, user));
  }

  TempFolder folder_;
  TestCa ca_{"ca"};
  TestCertificate pair_;
};

TEST_F(KubeconfigTest, FilesAreRelativeToTheKubeconfig) {
  const auto config = Read(
      "server: 'https://api:6443/', certificate-authority: ca.crt, tls-server-name: kubernetes",
      "client-certificate: weir.crt, client-key: ./weir.key");
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_THAT(config->servers, ElementsAre("https://api:6443"));
  EXPECT_EQ(config->ca_pem, ca_.certificate().pem);
  EXPECT_EQ(config->client_cert_pem, pair_.pem);
  EXPECT_EQ(config->client_key_pem, pair_.key_pem);
  EXPECT_EQ(config->client_cert_file, folder_.PathOf("weir.crt"));
  EXPECT_EQ(config->tls_server_name, "kubernetes");
  EXPECT_FALSE(config->insecure_skip_tls_verify);
}

TEST_F(KubeconfigTest, InlineDataBeatsFiles) {
  const auto config = Read(fmt::format("server: 'https://api', certificate-authority: nonexistent, "
                                       "certificate-authority-data: {}",
                                       Base64(ca_.certificate().pem)),
                           fmt::format("client-certificate-data: {}, client-key-data: {}",
                                       Base64(pair_.pem), Base64(pair_.key_pem)));
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->ca_pem, ca_.certificate().pem);
  EXPECT_EQ(config->client_key_pem, pair_.key_pem);
  EXPECT_THAT(config->client_cert_file, IsEmpty());
}

TEST_F(KubeconfigTest, ATokenFileBeatsATokenAndIsTrimmed) {
  const auto config = Read("server: 'https://api'", "token: old, tokenFile: token");
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->token, "abc.def");
  EXPECT_EQ(config->token_file, folder_.PathOf("token"));
}

TEST_F(KubeconfigTest, AnEmptyTokenFileKeepsTheInlineToken) {
  folder_.Write("token", "\n");
  EXPECT_EQ(Read("server: 'https://api'", "token: old, tokenFile: token")->token, "old");
  EXPECT_THAT(Text(Read("server: 'https://api'", "tokenFile: token")), HasSubstr("tokenFile: "));
}

TEST_F(KubeconfigTest, WhatIsNotSupportedIsRefusedByName) {
  const char* const kServer = "server: 'https://api'";
  EXPECT_THAT(Text(Read(kServer, "exec: {command: aws}")), HasSubstr("exec: not supported"));
  EXPECT_THAT(Text(Read(kServer, "auth-provider: {name: gcp}")),
              HasSubstr("auth-provider: not supported"));
  EXPECT_THAT(Text(Read(kServer, "username: a, password: b")),
              HasSubstr("username: not supported"));
  EXPECT_THAT(Text(Read(kServer, "as: root, token: t")), HasSubstr("as: not supported"));
  EXPECT_THAT(Text(Read("server: 'https://api', proxy-url: 'http://p'", "token: t")),
              HasSubstr("proxy-url: not supported"));
  EXPECT_THAT(Text(Read("server: 'http://api'", "token: t")), HasSubstr("plain HTTP"));
}

TEST_F(KubeconfigTest, SkippingVerificationExcludesACa) {
  EXPECT_TRUE(Read("server: 'https://api', insecure-skip-tls-verify: true", "token: t")
                  ->insecure_skip_tls_verify);
  EXPECT_THAT(
      Text(Read(
          "server: 'https://api', insecure-skip-tls-verify: true, certificate-authority: ca.crt",
          "token: t")),
      HasSubstr("insecure-skip-tls-verify: cannot be set beside"));
}

TEST_F(KubeconfigTest, CertificateAndKeyComeTogetherAndMatch) {
  EXPECT_THAT(Text(Read("server: 'https://api'", "client-certificate: weir.crt")),
              HasSubstr("set both or none"));
  folder_.Write("weir.key", ca_.certificate().key_pem);
  EXPECT_THAT(
      Text(Read("server: 'https://api'", "client-certificate: weir.crt, client-key: weir.key")),
      HasSubstr("does not belong"));
}

TEST_F(KubeconfigTest, ErrorsNameTheFileAndTheField) {
  EXPECT_THAT(Text(Read("server: 'https://api', certificate-authority: gone", "token: t")),
              HasSubstr("certificate-authority: " + folder_.PathOf("gone") + ": No such file"));
  EXPECT_THAT(Text(Read("server: 'https://api', certificate-authority-data: '%%%'", "token: t")),
              HasSubstr("certificate-authority-data: not base64"));
  EXPECT_THAT(Text(Read("server: [1]", "token: t")), HasSubstr("line "));
  EXPECT_THAT(Text(Read("server: ''", "token: t")), HasSubstr("server \"\""));
  EXPECT_THAT(Text(Read("server: 'https://api'", "token: 'a b'")), HasSubstr("token: "));
  EXPECT_THAT(Text(ReadKubeconfig("/nonexistent")), HasSubstr("--kubeconfig=\"/nonexistent\""));
  EXPECT_THAT(Text(ReadKubeconfig(folder_.Write("k", "kind: Config\n"))),
              HasSubstr("current-context: missing"));
  EXPECT_THAT(Text(ReadKubeconfig(folder_.Write("k", "current-context: x\n"))),
              HasSubstr("no contexts named \"x\""));
  EXPECT_THAT(Text(ReadKubeconfig(folder_.Write("k", "[1, 2]"))), HasSubstr("not a kubeconfig"));
}

TEST_F(KubeconfigTest, GivenServersTakeThePlaceOfItsOwn) {
  const std::string path = Write("server: 'https://api'", "token: t");
  EXPECT_THAT(LoadUpstream(path, {})->servers, ElementsAre("https://api"));
  const auto config = LoadUpstream(path, {"https://a:1/", "https://b:2"});
  EXPECT_THAT(config->servers, ElementsAre("https://a:1", "https://b:2"));
  EXPECT_EQ(config->token, "t");
}

TEST_F(KubeconfigTest, InAPodTheEnvironmentAndTheMountedAccountAreRead) {
  setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
  setenv("KUBERNETES_SERVICE_PORT", "443", 1);
  const auto config = ReadInCluster(folder_.path());
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_THAT(config->servers, ElementsAre("https://[fd00::1]:443"));
  EXPECT_EQ(config->token, "abc.def");
  EXPECT_EQ(config->token_file, folder_.PathOf("token"));
  EXPECT_EQ(config->ca_pem, ca_.certificate().pem);

  std::filesystem::remove(folder_.PathOf("ca.crt"));
  EXPECT_THAT(Text(ReadInCluster(folder_.path())), HasSubstr("service account"));
  unsetenv("KUBERNETES_SERVICE_PORT");
  EXPECT_THAT(Text(ReadInCluster(folder_.path())), HasSubstr("not in a pod"));
}

TEST(ServerUrlTest, TakesHostsPortsAndPrefixes) {
  EXPECT_EQ(ParseServerUrl("https://api")->port, 443);
  EXPECT_EQ(ParseServerUrl("https://[::1]:6443")->host, "::1");
  EXPECT_EQ(ParseServerUrl("https://api:6443/k8s/clusters/c-1/")->prefix, "/k8s/clusters/c-1");
  EXPECT_EQ(ParseServerUrl("https://api/")->prefix, "");
  for (const char* url : {"", "api", "https://", "https://a b", "https://u@h", "https://h:0",
                          "https://h:1:2", "https://[::1", "https://h?q", "https://h/a?b",
                          "https://h/a%20b", "https://[h]:1", "https://::1"}) {
    EXPECT_FALSE(ParseServerUrl(url).ok()) << url;
  }
}

TEST(Base64Test, ReadsBothAlphabetsAndRefusesTheRest) {
  EXPECT_EQ(DecodeBase64("aGk="), "hi");
  EXPECT_EQ(DecodeBase64("aG\nk="), "hi");
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("aGk"), std::nullopt);
  EXPECT_EQ(DecodeBase64("a==="), std::nullopt);
  EXPECT_EQ(DecodeBase64("a G="), std::nullopt);
  EXPECT_EQ(DecodeBase64Url("-_8"), std::string("\xfb\xff"));
  EXPECT_EQ(DecodeBase64Url("aGk="), std::nullopt);
}

}  // namespace
}  // namespace weir
