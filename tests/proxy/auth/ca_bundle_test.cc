#include "proxy/auth/ca_bundle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/asn1.h>

#include "proxy/auth/certificate_subject.h"
#include "tests/fakes/certificates.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = CertificateVerdict::Kind;

// A root, and what it says of certificates.
class CaBundleTest : public ::testing::Test {
 protected:
  static std::shared_ptr<const CaBundle> BundleOf(const std::string& pem) {
    return CaBundle::Parse(pem, 7).value();
  }

  CertificateVerdict Verify(const CertificateSpec& spec) const {
    return BundleOf(root_.certificate().pem)->Verify({.leaf = root_.Issue(spec).der, .others = {}});
  }
  IdentityRef IdentityOf(std::vector<std::pair<std::string, std::string>> subject) const {
    CertificateSpec spec;
    spec.subject = std::move(subject);
    return Verify(spec).identity;
  }

  TestCa root_{"root"};
};

TEST_F(CaBundleTest, TheSubjectIsTheUser) {
  const CertificateVerdict verdict =
      Verify({.subject = {{"O", "system:nodes"}, {"CN", "system:node:n1"}}});
  ASSERT_EQ(verdict.kind, Kind::kValid) << verdict.reason;
  EXPECT_EQ(verdict.identity->name, "system:node:n1");
  EXPECT_THAT(verdict.identity->groups, ElementsAre("system:nodes", "system:authenticated"));
  EXPECT_EQ(verdict.identity->uid, "");
  EXPECT_EQ(verdict.identity->method, Identity::Method::kCertificate);
  EXPECT_EQ(verdict.ca_generation, 7u);
  const auto& ids = verdict.identity->extra.at("authentication.kubernetes.io/credential-id");
  ASSERT_EQ(ids.size(), 1u);
  EXPECT_THAT(ids[0], StartsWith("X509SHA256="));
  EXPECT_EQ(ids[0].size(), 11u + 64u);
}

TEST_F(CaBundleTest, TheLastCommonNameWins) {
  EXPECT_EQ(IdentityOf({{"CN", "first"}, {"O", "g"}, {"CN", "last"}})->name, "last");
}

TEST_F(CaBundleTest, GroupsKeepTheirOrderAndRepetitions) {
  EXPECT_THAT(IdentityOf({{"O", "b"}, {"O", "a"}, {"OU", "x"}, {"CN", "n"}, {"O", "b"}})->groups,
              ElementsAre("b", "a", "b", "system:authenticated"));
  EXPECT_THAT(IdentityOf({{"O", "system:unauthenticated"}, {"CN", "n"}})->groups,
              ElementsAre("system:unauthenticated"));
  EXPECT_THAT(IdentityOf({{"CN", "system:anonymous"}})->groups, ElementsAre());
}

TEST_F(CaBundleTest, AnEmptyOrMissingCommonNameIsAFailedAttempt) {
  EXPECT_EQ(Verify({.subject = {{"CN", ""}}}).kind, Kind::kInvalid);
  EXPECT_EQ(Verify({.subject = {{"CN", "a"}, {"CN", ""}}}).kind, Kind::kInvalid);
  EXPECT_EQ(Verify({.subject = {{"O", "g"}}}).kind, Kind::kInvalid);
}

TEST_F(CaBundleTest, AnEmbeddedNulDoesNotEndTheName) {
  const std::string name("admin\0.evil", 11);
  EXPECT_EQ(IdentityOf({{"CN", name}})->name, name);
}

TEST_F(CaBundleTest, TheUidAttributeIsOneNonEmptyString) {
  const char* const kUid = "1.3.6.1.4.1.57683.2";
  EXPECT_EQ(IdentityOf({{"CN", "n"}, {kUid, "u-1"}})->uid, "u-1");
  EXPECT_EQ(Verify({.subject = {{"CN", "n"}, {kUid, ""}}}).kind, Kind::kInvalid);
  EXPECT_EQ(Verify({.subject = {{"CN", "n"}, {kUid, "a"}, {kUid, "b"}}}).kind, Kind::kInvalid);
}

TEST_F(CaBundleTest, ExtendedKeyUsageIsReadAsGoReadsIt) {
  const auto kind = [this](std::optional<std::string> usage) {
    return Verify({.subject = {{"CN", "n"}}, .extended_key_usage = std::move(usage)}).kind;
  };
  EXPECT_EQ(kind("clientAuth"), Kind::kValid);
  EXPECT_EQ(kind(std::nullopt), Kind::kValid);
  EXPECT_EQ(kind("anyExtendedKeyUsage"), Kind::kValid);
  EXPECT_EQ(kind("serverAuth,clientAuth"), Kind::kValid);
  EXPECT_EQ(kind("serverAuth"), Kind::kInvalid);
  EXPECT_EQ(kind("1.2.3.4"), Kind::kInvalid);
}

TEST_F(CaBundleTest, ExpiredAndFutureCertificatesAreRefusedForNow) {
  const CertificateVerdict expired = Verify({.subject = {{"CN", "n"}}, .valid_for_seconds = -60});
  EXPECT_EQ(expired.kind, Kind::kInvalid);
  EXPECT_THAT(expired.reason, HasSubstr("expired"));
  const CertificateVerdict future = Verify({.subject = {{"CN", "n"}}, .valid_from_seconds = 600});
  EXPECT_EQ(future.kind, Kind::kInvalid);
  EXPECT_LT(future.not_after, std::chrono::system_clock::now() + std::chrono::minutes(2));
}

TEST_F(CaBundleTest, TheVerdictEndsWithTheFirstCertificateOfThePath) {
  const CertificateVerdict verdict = Verify({.subject = {{"CN", "n"}}, .valid_for_seconds = 600});
  const auto now = std::chrono::system_clock::now();
  EXPECT_GT(verdict.not_after, now + std::chrono::seconds(500));
  EXPECT_LT(verdict.not_after, now + std::chrono::seconds(601));
  EXPECT_EQ(verdict.identity->expires, verdict.not_after);
}

TEST_F(CaBundleTest, AnotherAuthorityOfTheSameNameIsRefused) {
  const TestCa impostor("root");
  const TestCertificate leaf = impostor.Issue({.subject = {{"CN", "n"}}});
  const auto bundle = BundleOf(root_.certificate().pem);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der, .others = {}}).kind, Kind::kInvalid);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der, .others = {impostor.certificate().der}}).kind,
            Kind::kInvalid);
}

TEST_F(CaBundleTest, IntermediatesThatTheClientSendsCompleteThePath) {
  const TestCa middle = root_.IssueCa("middle");
  const TestCertificate leaf = middle.Issue({.subject = {{"CN", "n"}}});
  const auto bundle = BundleOf(root_.certificate().pem);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der, .others = {}}).kind, Kind::kInvalid);
  const std::string unrelated = TestCa("unrelated").certificate().der;
  EXPECT_EQ(
      bundle->Verify({.leaf = leaf.der, .others = {unrelated, middle.certificate().der}}).kind,
      Kind::kValid);
}

TEST_F(CaBundleTest, ABundleWithOnlyAnIntermediateIsAnAnchor) {
  const TestCa middle = root_.IssueCa("middle");
  const TestCertificate leaf = middle.Issue({.subject = {{"CN", "n"}}});
  EXPECT_EQ(BundleOf(middle.certificate().pem)->Verify({.leaf = leaf.der, .others = {}}).kind,
            Kind::kValid);
  const TestCertificate sibling = root_.Issue({.subject = {{"CN", "n"}}});
  EXPECT_EQ(BundleOf(middle.certificate().pem)->Verify({.leaf = sibling.der, .others = {}}).kind,
            Kind::kInvalid);
}

TEST_F(CaBundleTest, AnIntermediateForServersOnlySignsNoClients) {
  const TestCa middle = root_.IssueCa("middle", "serverAuth");
  const TestCertificate leaf = middle.Issue({.subject = {{"CN", "n"}}});
  const CertificateVerdict verdict =
      BundleOf(root_.certificate().pem)
          ->Verify({.leaf = leaf.der, .others = {middle.certificate().der}});
  EXPECT_EQ(verdict.kind, Kind::kInvalid);
  EXPECT_EQ(verdict.reason, "not for client authentication");
}

TEST_F(CaBundleTest, ALeafSignsNobody) {
  const CertificateSpec spec = {.subject = {{"CN", "n"}}, .ca = false};
  const TestCa middle = root_.IssueCa("middle");
  const TestCertificate leaf = middle.Issue(spec);
  const TestCertificate posing = root_.Issue({.subject = {{"CN", "middle"}}});
  EXPECT_EQ(
      BundleOf(root_.certificate().pem)->Verify({.leaf = leaf.der, .others = {posing.der}}).kind,
      Kind::kInvalid);
}

TEST_F(CaBundleTest, GarbageIsInvalidAndNotFatal) {
  const auto bundle = BundleOf(root_.certificate().pem);
  const TestCertificate leaf = root_.Issue({.subject = {{"CN", "n"}}});
  EXPECT_EQ(bundle->Verify({.leaf = "garbage", .others = {}}).kind, Kind::kInvalid);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der + "x", .others = {}}).kind, Kind::kInvalid);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der.substr(0, 100), .others = {}}).kind, Kind::kInvalid);
  EXPECT_EQ(bundle->Verify({.leaf = leaf.der, .others = {"garbage"}}).kind, Kind::kInvalid);
  EXPECT_EQ(
      bundle->Verify({.leaf = leaf.der, .others = std::vector<std::string>(100, leaf.der)}).kind,
      Kind::kInvalid);
}

TEST_F(CaBundleTest, SubjectsAreListedOnceForTheCertificateRequest) {
  const TestCa other("other");
  const auto bundle = BundleOf(root_.certificate().pem + other.certificate().pem +
                               TestCa("root").certificate().pem);
  EXPECT_EQ(bundle->subjects().size(), 2u);
  EXPECT_EQ(bundle->Describe().size(), 3u);
  EXPECT_THAT(bundle->Describe()[1], HasSubstr("CN=other"));
  EXPECT_FALSE(CaBundle::Parse("", 1).ok());
}

TEST(SubjectStringTest, EachTypeBecomesUtf8AsInGo) {
  EXPECT_EQ(SubjectString(V_ASN1_UTF8STRING, "z\u00e9").value(), "z\u00e9");
  EXPECT_EQ(SubjectString(V_ASN1_T61STRING, "z\xe9").value(), "z\u00e9");
  EXPECT_EQ(SubjectString(V_ASN1_BMPSTRING, std::string_view("\0a\x20\xac", 4)).value(), "a\u20ac");
  EXPECT_EQ(SubjectString(V_ASN1_BMPSTRING, std::string_view("\xd8\x3d\xde\x00", 4)).value(),
            "\U0001f600");
  EXPECT_EQ(SubjectString(V_ASN1_BMPSTRING, std::string_view("\xd8\x3d\0a\0\0", 6)).value(),
            "\ufffda");
  EXPECT_EQ(SubjectString(V_ASN1_PRINTABLESTRING, "a*&'()+,-./:=? Z9").value(),
            "a*&'()+,-./:=? Z9");
  EXPECT_EQ(SubjectString(V_ASN1_NUMERICSTRING, "12 3").value(), "12 3");
  EXPECT_EQ(SubjectString(V_ASN1_IA5STRING, "a@b").value(), "a@b");
}

TEST(SubjectStringTest, WhatGoDoesNotParseIsRefused) {
  EXPECT_FALSE(SubjectString(V_ASN1_UTF8STRING, "\xff").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_UTF8STRING, "\xed\xa0\x80").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_UTF8STRING, "\xc3").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_PRINTABLESTRING, "a@b").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_PRINTABLESTRING, std::string_view("a\0", 2)).ok());
  EXPECT_FALSE(SubjectString(V_ASN1_NUMERICSTRING, "1a").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_IA5STRING, "\x80").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_BMPSTRING, "abc").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_UNIVERSALSTRING, "abcd").ok());
  EXPECT_FALSE(SubjectString(V_ASN1_INTEGER, "\1").ok());
}

}  // namespace
}  // namespace weir
