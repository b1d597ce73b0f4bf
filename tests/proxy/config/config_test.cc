#include "proxy/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/config/cache_index.h"
#include "proxy/config/config_file.h"
#include "proxy/config/files.h"
#include "proxy/config/option_table.h"
#include "tests/fakes/certificates.h"
#include "tests/fakes/temp_folder.h"

namespace weir {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

std::string Text(const StatusOr<Config>& config) {
  return config.ok() ? "OK" : std::string(Message(config.status()));
}

// A folder with a serving certificate, and weir started with its flags.
class ConfigTest : public ::testing::Test {
 protected:
  ConfigTest() {
    const TestCertificate pair = ca_.Issue({.subject = {{"CN", "weir"}}});
    cert_ = folder_.Write("tls.crt", pair.pem);
    key_ = folder_.Write("tls.key", pair.key_pem);
  }

  StatusOr<Config> LoadOnly(std::vector<std::string> arguments) const {
    std::vector<const char*> argv = {"weir"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return LoadConfig(static_cast<int>(argv.size()), argv.data());
  }
  StatusOr<Config> Load(std::vector<std::string> arguments) const {
    arguments.push_back("--tls-cert-file=" + cert_);
    arguments.push_back("--tls-private-key-file=" + key_);
    return LoadOnly(std::move(arguments));
  }
  StatusOr<Config> LoadFile(std::string_view options,
                            std::vector<std::string> arguments = {}) const {
    const std::string path = folder_.Write(
        "weir.yaml", "apiVersion: weir/v1alpha1\nkind: WeirConfiguration\n" + std::string(options));
    arguments.push_back("--config=" + path);
    return Load(std::move(arguments));
  }

  TempFolder folder_;
  TestCa ca_{"ca"};
  std::string cert_, key_;
};

TEST_F(ConfigTest, DefaultsAreThoseOfTheContract) {
  const StatusOr<Config> config = Load({});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->bind_address, "0.0.0.0");
  EXPECT_EQ(config->secure_port, 6443);
  EXPECT_EQ(config->admin_host(), "127.0.0.1");
  EXPECT_EQ(config->admin_port(), 8081);
  EXPECT_THAT(config->cache_never, ElementsAre("secrets"));
  EXPECT_EQ(config->watch_reauthorize_interval, 5min);
  EXPECT_EQ(config->shutdown_delay_duration, 10s);
  EXPECT_GE(config->workers, 1u);
  EXPECT_THAT(config->print_and_exit, IsEmpty());
}

TEST_F(ConfigTest, FlagsSetEveryKindOfValue) {
  const StatusOr<Config> config = Load(
      {"--secure-port=7443", "--cache-max-bytes", "512Mi", "--log-window=1m", "--strict-resync",
       "--workers=3", "--tls-min-version=VersionTLS13", "--logging-format=json", "-v=3",
       "--cache-only=pods,nodes", "--cache-only=leases.coordination.k8s.io",
       "--upstream-server=https://a:1,https://b:2"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->secure_port, 7443);
  EXPECT_EQ(config->cache_max_bytes, uint64_t{512} << 20);
  EXPECT_EQ(config->log_window, 1min);
  EXPECT_TRUE(config->strict_resync);
  EXPECT_EQ(config->workers, 3u);
  EXPECT_EQ(config->tls_min_version, TlsVersion::kTls13);
  EXPECT_EQ(config->logging_format, LogFormat::kJson);
  EXPECT_EQ(config->v, 3);
  EXPECT_THAT(config->cache_only, ElementsAre("pods", "nodes", "leases.coordination.k8s.io"));
  EXPECT_THAT(config->upstream_server, ElementsAre("https://a:1", "https://b:2"));
}

TEST_F(ConfigTest, VerbosityHasAllItsUsualSpellings) {
  for (const std::vector<std::string>& spelling : std::vector<std::vector<std::string>>{
           {"-v", "4"}, {"-v4"}, {"-v=4"}, {"--v=4"}, {"--v", "4"}}) {
    const StatusOr<Config> config = Load(spelling);
    ASSERT_TRUE(config.ok()) << spelling[0] << ": " << Text(config);
    EXPECT_EQ(config->v, 4) << spelling[0];
  }
}

TEST_F(ConfigTest, AnEmptyListIsSaidByAnEmptyValue) {
  const StatusOr<Config> config = Load({"--cache-never=", "--secure-port=1"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_THAT(config->cache_never, IsEmpty());
  EXPECT_EQ(config->secure_port, 1);
}

TEST_F(ConfigTest, TheLastOfARepeatedFlagWinsAndASwitchCanBeTurnedOff) {
  const StatusOr<Config> config =
      Load({"--secure-port=1", "--secure-port=2", "--strict-resync", "--strict-resync=false"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->secure_port, 2);
  EXPECT_FALSE(config->strict_resync);
}

TEST_F(ConfigTest, HelpAndVersionAreNoErrorAndNeedNothingElse) {
  const StatusOr<Config> help = LoadOnly({"--help"});
  ASSERT_TRUE(help.ok()) << Text(help);
  EXPECT_THAT(help->print_and_exit, HasSubstr("--tls-cert-file"));
  EXPECT_THAT(help->print_and_exit, HasSubstr("--watch-reauthorize-interval"));
  const StatusOr<Config> version = LoadOnly({"--version"});
  ASSERT_TRUE(version.ok()) << Text(version);
  EXPECT_THAT(version->print_and_exit, ::testing::StartsWith("weir 0."));
}

TEST_F(ConfigTest, ErrorsNameOptionValueAndRemedyInOneLine) {
  EXPECT_EQ(Text(Load({"--secure-port=70000"})),
            "--secure-port=\"70000\": want a number from 1 to 65535");
  EXPECT_EQ(Text(Load({"--log-window=10"})),
            "--log-window=\"10\": want a duration such as 10s, 5m or 1h30m");
  EXPECT_EQ(Text(Load({"--cache-max-bytes=lots"})),
            "--cache-max-bytes=\"lots\": want a size such as 512Mi, 4Gi or 4000000000");
  EXPECT_EQ(Text(Load({"--no-such-flag=1"})), "--no-such-flag: no such option; see weir --help");
  EXPECT_EQ(Text(Load({"serve"})), "\"serve\": weir takes options only; see weir --help");
  EXPECT_THAT(Text(LoadOnly({"--secure-port"})), HasSubstr("--secure-port"));
  EXPECT_THAT(Text(LoadOnly({})), HasSubstr("--tls-cert-file=\"\": required"));
  EXPECT_THAT(Text(Load({"--upstream-server=http://a"})),
              HasSubstr("--upstream-server=\"http://a\""));
  EXPECT_THAT(Text(Load({"--bind-address=localhost"})), HasSubstr("want an IP address"));
  for (const char* flag :
       {"--secure-port", "--nonsense", "--tls-min-version=1.2", "--cache-never=Pods"}) {
    EXPECT_THAT(Text(Load({flag})), Not(HasSubstr("\n")));
  }
}

TEST_F(ConfigTest, TheAdminPortIsNotOpenedToTheNetworkByAccident) {
  EXPECT_THAT(Text(Load({"--admin-bind-address=0.0.0.0:8081"})),
              HasSubstr("--admin-allow-plaintext"));
  EXPECT_TRUE(Load({"--admin-bind-address=0.0.0.0:8081", "--admin-allow-plaintext"}).ok());
  EXPECT_TRUE(Load({"--admin-bind-address=[::1]:8081"}).ok());
}

TEST_F(ConfigTest, KeyPairsHaveToMatch) {
  const TestCertificate other = ca_.Issue({.subject = {{"CN", "other"}}});
  const std::string other_key = folder_.Write("other.key", other.key_pem);
  EXPECT_THAT(Text(LoadOnly({"--tls-cert-file=" + cert_, "--tls-private-key-file=" + other_key})),
              HasSubstr("the key does not belong to the certificate"));
  EXPECT_THAT(Text(LoadOnly({"--tls-cert-file=/nonexistent", "--tls-private-key-file=" + key_})),
              HasSubstr("/nonexistent: No such file"));
  EXPECT_THAT(Text(Load({"--proxy-client-cert-file=" + cert_})), HasSubstr("set both or none"));
  EXPECT_TRUE(Load({"--proxy-client-cert-file=" + cert_, "--proxy-client-key-file=" + key_}).ok());
}

TEST_F(ConfigTest, AClientCaBundleWithoutCertificatesIsRefused) {
  EXPECT_THAT(Text(Load({"--client-ca-file=" + key_})), HasSubstr("no PEM certificate"));
  const std::string broken = folder_.Write(
      "broken.crt",
      ca_.certificate().pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(Text(Load({"--client-ca-file=" + broken})),
              HasSubstr("certificate 2 in it does not parse"));
  EXPECT_TRUE(Load({"--client-ca-file=" + folder_.Write("ca.crt", ca_.certificate().pem)}).ok());
}

TEST_F(ConfigTest, AListOfBlanksIsNoEmptyList) {
  // It would allow everybody.
  for (const char* blank : {" ", ",", " , "}) {
    EXPECT_THAT(Text(Load({std::string("--requestheader-allowed-names=") + blank})),
                HasSubstr("--requestheader-allowed-names"))
        << blank;
  }
  for (const char* list : {"[\" \"]", "[\"\"]", "[a, \"\"]"}) {
    EXPECT_THAT(Text(LoadFile(std::string("requestheaderAllowedNames: ") + list + "\n")),
                HasSubstr("requestheaderAllowedNames"))
        << list;
  }
}

TEST_F(ConfigTest, FrontProxiesNeedAuthoritiesAndHeaderNames) {
  const std::string ca = folder_.Write("proxy-ca.crt", ca_.certificate().pem);
  const auto config = Load({"--requestheader-client-ca-file=" + ca,
                            "--requestheader-allowed-names=front-proxy,other",
                            "--requestheader-username-headers=X-Remote-User,X-Corp-User"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->requestheader_allowed_names, ElementsAre("front-proxy", "other"));
  EXPECT_THAT(config->requestheader_username_headers, ElementsAre("X-Remote-User", "X-Corp-User"));
  EXPECT_THAT(config->requestheader_extra_headers_prefix, ElementsAre("X-Remote-Extra-"));
  EXPECT_THAT(Text(Load({"--requestheader-client-ca-file=" + key_})),
              HasSubstr("--requestheader-client-ca-file=\"" + key_ + "\": no PEM certificate"));
  EXPECT_THAT(
      Text(Load({"--requestheader-client-ca-file=" + ca, "--requestheader-username-headers="})),
      HasSubstr("--requestheader-username-headers"));
  EXPECT_THAT(Text(Load({"--requestheader-group-headers=X_Remote_Group"})),
              HasSubstr("--requestheader-group-headers=\"X_Remote_Group\""));
}

TEST_F(ConfigTest, ReplicasAreHostsWithPorts) {
  const auto config = Load({"--rebalance-peers=weir-admin.kube-system:8081,[::1]:1",
                            "--rebalance-peers=10.0.0.7:8081", "--rebalance-per-second=3"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_THAT(config->rebalance_peers,
              ElementsAre("weir-admin.kube-system:8081", "[::1]:1", "10.0.0.7:8081"));
  EXPECT_EQ(config->rebalance_per_second, 3u);
  EXPECT_THAT(Load({})->rebalance_peers, IsEmpty());
  EXPECT_EQ(Load({})->rebalance_per_second, 10u);
  EXPECT_THAT(Load({"--rebalance-peers="})->rebalance_peers, IsEmpty());
  for (const std::string peer : {"weir-admin", "weir-admin:0", "weir-admin:65536", ":8081",
                                 "http://weir-admin:8081", "a b:1", "::1:8081", "a/b:1", "a@b:1"}) {
    EXPECT_EQ(
        Text(Load({"--rebalance-peers=ok:1," + peer})),
        "--rebalance-peers=\"" + peer + "\": want host:port, such as weir-admin.kube-system:8081");
  }
  EXPECT_EQ(Text(Load({"--rebalance-per-second=0"})),
            "--rebalance-per-second=\"0\": want a number from 1 to 100000");
}

TEST_F(ConfigTest, FlagsBeatTheFile) {
  const StatusOr<Config> config =
      LoadFile("securePort: 1\nlogWindow: 1m\ncacheNever: [pods, secrets]\n", {"--secure-port=2"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_EQ(config->secure_port, 2);
  EXPECT_EQ(config->log_window, 1min);
  EXPECT_THAT(config->cache_never, ElementsAre("pods", "secrets"));
}

TEST_F(ConfigTest, TheFileIsReadStrictly) {
  EXPECT_THAT(Text(LoadFile("secureport: 1\n")), HasSubstr("secureport: no such option"));
  EXPECT_THAT(Text(LoadFile("config: x\n")), HasSubstr("config: no such option"));
  EXPECT_THAT(Text(LoadFile("securePort: 1\nsecurePort: 1\n")),
              HasSubstr("securePort appears twice"));
  EXPECT_THAT(Text(LoadFile("securePort: [1]\n")), HasSubstr("want one value"));
  EXPECT_THAT(Text(LoadFile("securePort:\n")), HasSubstr("want a value"));
  EXPECT_THAT(Text(LoadFile("securePort: {a: b}\n")), HasSubstr("want a value"));
  EXPECT_THAT(Text(LoadFile("securePort: x\n")), HasSubstr("securePort: \"x\": want a number"));
  EXPECT_THAT(Text(LoadFile("strictResync: yes\n")), HasSubstr("want true or false"));
  EXPECT_THAT(Text(LoadFile("securePort: [\n")), HasSubstr("line "));
  EXPECT_THAT(Text(LoadFile("---\nv: 1\n")), HasSubstr("want one YAML document"));
}

TEST_F(ConfigTest, OnlyItsOwnKindOfFileIsRead) {
  const auto load = [this](std::string_view text) {
    return Text(Load({"--config=" + folder_.Write("c.yaml", text)}));
  };
  EXPECT_THAT(load("securePort: 1\n"), HasSubstr("apiVersion is missing"));
  EXPECT_THAT(load("apiVersion: weir/v2\nkind: WeirConfiguration\n"),
              HasSubstr("want \"weir/v1alpha1\""));
  EXPECT_THAT(load("apiVersion: weir/v1alpha1\nkind: Config\n"),
              HasSubstr("want \"WeirConfiguration\""));
  EXPECT_THAT(load(""), HasSubstr("want one YAML document"));
  EXPECT_THAT(Text(Load({"--config=/nonexistent.yaml"})), HasSubstr("No such file"));
}

TEST_F(ConfigTest, WhatIsToBeWarmIsNamedWithItsVersionAndMayBeCached) {
  const auto config = Load({"--cache-prewarm=pods,deployments.v1.apps"});
  ASSERT_TRUE(config.ok()) << Text(config);
  EXPECT_THAT(config->cache_prewarm, ElementsAre("pods", "deployments.v1.apps"));
  EXPECT_THAT(Text(Load({"--cache-prewarm=deployments.apps"})),
              AllOf(HasSubstr("cache-prewarm"), HasSubstr("deployments.apps"),
                    HasSubstr("with its version")));
  EXPECT_THAT(Text(Load({"--cache-prewarm=secrets"})), HasSubstr("not cached"));
  EXPECT_THAT(Text(Load({"--cache-only=pods", "--cache-prewarm=nodes"})), HasSubstr("not cached"));
}

TEST_F(ConfigTest, IndexesAreOfLabelsOrFields) {
  const auto config = Load(
      {"--cache-index=pods=label:app.kubernetes.io/name,widgets.example.com=field:spec.color"});
  ASSERT_TRUE(config.ok()) << Text(config);
  ASSERT_EQ(config->cache_index.size(), 2u);
  const auto index = ParseCacheIndex(config->cache_index[1]);
  ASSERT_TRUE(index.has_value());
  EXPECT_EQ(index->resource, "widgets.example.com");
  EXPECT_FALSE(index->is_label);
  EXPECT_EQ(index->name, "spec.color");
  for (const char* const text : {"pods", "pods=app", "pods=label:", "=label:app", "pods=name:app",
                                 "Pods=label:app", "pods=label:a/b/c", "pods=label:-a"}) {
    EXPECT_THAT(Text(Load({std::string("--cache-index=") + text})),
                AllOf(HasSubstr("cache-index"), HasSubstr(text)));
  }
}

TEST_F(ConfigTest, AResourceCannotBeBothNeverAndOnlyCached) {
  EXPECT_THAT(Text(Load({"--cache-only=secrets"})), HasSubstr("also in --cache-never"));
  EXPECT_TRUE(Load({"--cache-only=secrets", "--cache-never="}).ok());
}

TEST_F(ConfigTest, TheSampleFileExplainsEveryOptionWithItsDefault) {
  const std::string path = std::string(WEIR_SOURCE_FOLDER) + "/deploy/weir.sample.yaml";
  const StatusOr<Config> sample = Load({"--config=" + path});
  ASSERT_TRUE(sample.ok()) << Text(sample);
  const StatusOr<Config> defaults = Load({});
  ASSERT_TRUE(defaults.ok());
  std::vector<std::string> want = defaults->Effective();
  std::erase(want, "--config=");
  std::vector<std::string> got = sample->Effective();
  std::erase(got, "--config=" + path);
  EXPECT_EQ(got, want);

  const auto settings = ParseConfigFile(ReadSmallFile(path).value());
  ASSERT_TRUE(settings.ok());
  std::vector<std::string> keys;
  for (const FileSetting& setting : *settings) keys.push_back(setting.key);
  for (const Option& option : OptionTable()) {
    if (!option.in_file) continue;
    EXPECT_THAT(keys, Contains(FileKey(option.flag)));
  }
}

TEST_F(ConfigTest, TheEffectiveConfigurationNamesFilesButHoldsNoSecrets) {
  const std::vector<std::string> lines = Load({})->Effective();
  EXPECT_THAT(lines, Contains("--tls-private-key-file=" + key_));
  EXPECT_THAT(lines, Contains("--cache-max-bytes=4Gi"));
  EXPECT_THAT(lines, Contains("--cache-idle-timeout=30m"));
}

}  // namespace
}  // namespace weir
