#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/fleet/kubeconfig_text.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/temp_folder.h"

namespace weir::fleet {
namespace {

// What a reader understands of the text, from a folder where none of the first files is.
StatusOr<UpstreamConfig> Again(const UpstreamConfig& endpoint) {
  const TempFolder folder;
  return ReadKubeconfig(folder.Write("kubeconfig", KubeconfigText(endpoint)));
}

TEST(KubeconfigText, CarriesACertificateAndItsKeyInline) {
  const TestCa ca("ca");
  const TestCertificate pair = ca.Issue({.subject = {{"CN", "someone"}}});
  const TempFolder folder;
  folder.Write("ca.crt", ca.certificate().pem);
  folder.Write("user.crt", pair.pem);
  folder.Write("user.key", pair.key_pem);
  const StatusOr<UpstreamConfig> first = ReadKubeconfig(folder.Write("kubeconfig", R"({
    "current-context": "x",
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u",
                                              "namespace": "kube-system"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/a", "tls-server-name": "n",
                                           "certificate-authority": "ca.crt"}}],
    "users": [{"name": "u", "user": {"client-certificate": "user.crt",
                                     "client-key": "user.key"}}]})"));
  ASSERT_TRUE(first.ok()) << Message(first.status());
  const StatusOr<UpstreamConfig> second = Again(*first);
  ASSERT_TRUE(second.ok()) << Message(second.status());
  EXPECT_THAT(second->servers, testing::ElementsAre("https://api:6443/a"));
  EXPECT_EQ(second->tls_server_name, "n");
  EXPECT_EQ(second->context_namespace, "kube-system");
  EXPECT_EQ(second->ca_pem, ca.certificate().pem);
  EXPECT_EQ(second->client_cert_pem, pair.pem);
  EXPECT_EQ(second->client_key_pem, pair.key_pem);
  EXPECT_THAT(second->ca_file, testing::IsEmpty());
  EXPECT_THAT(second->client_key_file, testing::IsEmpty());
}

TEST(KubeconfigText, CarriesATokenWhateverIsInIt) {
  UpstreamConfig endpoint;
  endpoint.servers = {"https://127.0.0.1:1"};
  endpoint.token = "a:\"b\\#'<&";
  endpoint.insecure_skip_tls_verify = true;
  const StatusOr<UpstreamConfig> again = Again(endpoint);
  ASSERT_TRUE(again.ok()) << Message(again.status());
  EXPECT_EQ(again->token, endpoint.token);
  EXPECT_TRUE(again->insecure_skip_tls_verify);
}

TEST(KubeconfigText, KeepsATokenFileSoThatItIsReadAgain) {
  const TempFolder folder;
  UpstreamConfig endpoint;
  endpoint.servers = {"https://127.0.0.1:1"};
  endpoint.token = "old";
  endpoint.token_file = folder.Write("token", "new\n");
  const StatusOr<UpstreamConfig> again = Again(endpoint);
  ASSERT_TRUE(again.ok()) << Message(again.status());
  EXPECT_EQ(again->token, "new");
  EXPECT_EQ(again->token_file, endpoint.token_file);
}

TEST(KubeconfigText, NobodyIsAUserToo) {
  UpstreamConfig endpoint;
  endpoint.servers = {"https://127.0.0.1:1"};
  const StatusOr<UpstreamConfig> again = Again(endpoint);
  ASSERT_TRUE(again.ok()) << Message(again.status());
  EXPECT_THAT(again->token, testing::IsEmpty());
}

}  // namespace
}  // namespace weir::fleet
