#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/sim/sim_fixture.h"

namespace weir::sim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kRules[] = R"(
tokens:
- {token: t7, user: "system:node:n7", groups: ["system:nodes"], uid: u7, extra: {"example.com/x": [a, b]}}
allow:
- {groups: ["system:nodes"], verbs: [get, list, watch], resources: [pods, leases.coordination.k8s.io]}
- {users: [ci], verbs: ["*"], resources: [configmaps], namespaces: [team-0], names: [one]}
- {users: [proxy], verbs: [impersonate], resources: ["*"], names: [bob, devs]}
)";

class SimAccessTest : public SimFixture, public ::testing::Test {
 protected:
  SimAccessTest() { loaded_ = access_.LoadText(kRules); }

  StatusOr<Identity> With(const http::HeaderList& headers,
                          const ClientCertificate* certificate = nullptr) {
    return access_.Authenticate(headers, certificate);
  }
  static http::HeaderList Headers(
      std::initializer_list<std::pair<std::string_view, std::string_view>> lines) {
    http::HeaderList headers;
    for (const auto& [name, value] : lines) headers.Add(name, value);
    return headers;
  }

  Status loaded_;
};

TEST_F(SimAccessTest, TokensNameTheirUsers) {
  ASSERT_TRUE(loaded_.ok()) << Message(loaded_);
  const auto identity = With(Headers({{"Authorization", "bearer t7"}}));
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->name, "system:node:n7");
  EXPECT_THAT(identity->groups, ElementsAre("system:nodes", "system:authenticated"));
}

TEST_F(SimAccessTest, NoCredentialIsAnonymousAndABadOneIsRefused) {
  EXPECT_EQ(With({})->name, "system:anonymous");
  EXPECT_FALSE(With(Headers({{"Authorization", "Bearer nonsense"}})).ok());
  EXPECT_EQ(Call("GET", "/livez", "", "", "nonsense").status, 401);
}

TEST_F(SimAccessTest, CertificatesNameUsersByCommonNameAndGroupsByOrganisation) {
  ClientCertificate certificate{true, "ann", {"devs"}, "00"};
  EXPECT_EQ(With({}, &certificate)->name, "ann");
  certificate.verified = false;
  EXPECT_FALSE(With({}, &certificate).ok());
  EXPECT_TRUE(With(Headers({{"Authorization", "Bearer t7"}}), &certificate).ok());
}

TEST_F(SimAccessTest, OnlyTheFrontProxySpeaksForOthers) {
  const auto headers = Headers({{"X-Remote-User", "bob"},
                                {"X-Remote-Group", "devs"},
                                {"X-Remote-Extra-Example.com%2fk", "v"}});
  const ClientCertificate proxy{true, "front-proxy-client", {}, "00"};
  const auto identity = With(headers, &proxy);
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->name, "bob");
  EXPECT_THAT(identity->groups, Contains("devs"));
  EXPECT_EQ(identity->extra.at("example.com/k").front(), "v");
  EXPECT_FALSE(With({}, &proxy).ok()) << "a front proxy without a user";
  EXPECT_EQ(With(headers)->name, "system:anonymous");
}

TEST_F(SimAccessTest, RulesDecideByVerbResourceNamespaceAndName) {
  const Identity ci{"ci", "", {}, {}};
  Attributes attributes{true, "delete", "", "configmaps", "", "team-0", "one", ""};
  EXPECT_TRUE(access_.Allows(ci, attributes));
  attributes.name = "two";
  EXPECT_FALSE(access_.Allows(ci, attributes));
  attributes = {true, "delete", "", "configmaps", "", "team-1", "one", ""};
  EXPECT_FALSE(access_.Allows(ci, attributes));
  EXPECT_EQ(Call("GET", "/apis/coordination.k8s.io/v1/leases", "", "", "t7").status, 200);
  const Reply refused = Call("GET", "/api/v1/secrets", "", "", "t7");
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(
      refused.body,
      HasSubstr(R"(secrets is forbidden: User \"system:node:n7\" cannot list resource \"secrets\" )"
                R"(in API group \"\" at the cluster scope)"));
}

TEST_F(SimAccessTest, ImpersonationNeedsARuleForEachUserAndGroup) {
  const Identity proxy{"proxy", "", {}, {}};
  const auto as = [&](const http::HeaderList& headers) {
    auto result = access_.Impersonate(headers, proxy);
    const auto* identity = std::get_if<Identity>(&result);
    return identity != nullptr ? identity->name : std::string("refused");
  };
  EXPECT_EQ(as(Headers({{"Impersonate-User", "bob"}, {"Impersonate-Group", "devs"}})), "bob");
  EXPECT_EQ(as(Headers({{"Impersonate-User", "bob"}, {"Impersonate-Group", "admins"}})), "refused");
  EXPECT_EQ(as(Headers({{"Impersonate-User", "eve"}})), "refused");
  EXPECT_EQ(as(Headers({{"Impersonate-Group", "devs"}})), "refused");
  EXPECT_EQ(as({}), "proxy");
}

TEST_F(SimAccessTest, TokenReviewsAnswerAsUpstream) {
  const auto review = [&](std::string_view token) {
    return Call("POST", "/apis/authentication.k8s.io/v1/tokenreviews",
                R"({"spec":{"token":")" + std::string(token) + R"("}})");
  };
  EXPECT_EQ(review("t7").status, 201);
  EXPECT_THAT(
      review("t7").body,
      HasSubstr(
          R"("status":{"authenticated":true,"user":{"username":"system:node:n7","uid":"u7","groups":)"
          R"(["system:nodes","system:authenticated"],"extra":{"example.com/x":["a","b"]}})"));
  EXPECT_THAT(review("x").body,
              HasSubstr(R"("status":{"user":{},"error":"invalid bearer token"})"));
  EXPECT_EQ(review("").status, 400);
}

TEST_F(SimAccessTest, AccessReviewsFollowTheSameRules) {
  const auto allowed = [&](std::string_view resource) {
    const Reply reply = Call(
        "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        R"({"spec":{"user":"u","groups":["system:nodes"],"resourceAttributes":{"verb":"list","resource":")" +
            std::string(resource) + R"("}}})");
    return reply.body.find(R"("allowed":true)") != std::string::npos;
  };
  EXPECT_TRUE(allowed("pods"));
  EXPECT_FALSE(allowed("secrets"));
}

TEST_F(SimAccessTest, AMistakeInTheRulesIsNamed) {
  EXPECT_THAT(Message(access_.LoadText("allow:\n- {user: x}\n")),
              HasSubstr("unknown key \"user\""));
  EXPECT_THAT(Message(access_.LoadText("rules: []\n")), HasSubstr("unknown section"));
  EXPECT_FALSE(access_.LoadText("tokens: [").ok());
  EXPECT_FALSE(access_.LoadText("tokens:\n- {token: x}\n").ok());
}

}  // namespace
}  // namespace weir::sim
