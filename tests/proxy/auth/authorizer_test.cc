#include "proxy/auth/authorizer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proxy/auth/access_key.h"
#include "tests/fakes/fake_reviews.h"
#include "tests/fakes/manual_executor.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;
using Kind = Verdict::Kind;

constexpr const char* kAllowed = R"({"kind":"SubjectAccessReview","status":{"allowed":true}})";
constexpr const char* kDenied =
    R"({"kind":"SubjectAccessReview","status":{"allowed":false,"reason":"no relationship"}})";

IdentityRef User(std::string name, std::vector<std::string> groups = {}) {
  auto identity = std::make_shared<Identity>();
  identity->name = std::move(name);
  identity->groups = std::move(groups);
  return identity;
}

Attributes Pods(const std::string& field_selector = "", const std::string& label_selector = "") {
  Attributes attributes;
  attributes.verb = "list";
  attributes.resource = {.group = "", .version = "v1", .resource = "pods"};
  if (!field_selector.empty())
    attributes.field_selector = FieldSelector::Parse(field_selector).value();
  if (!label_selector.empty())
    attributes.label_selector = LabelSelector::Parse(label_selector).value();
  return attributes;
}

class AuthorizerTest : public ::testing::Test {
 protected:
  void Ask(IdentityRef identity, Attributes attributes) {
    authorizer_->Authorize(std::move(identity), std::move(attributes), executor_, reviews_,
                           [this](Verdict verdict) { verdicts_.push_back(std::move(verdict)); });
  }
  Verdict AskAndAnswer(IdentityRef identity, Attributes attributes, const std::string& body) {
    Ask(std::move(identity), std::move(attributes));
    EXPECT_EQ(reviews_.pending().size(), 1u);
    if (!reviews_.pending().empty()) reviews_.Answer(body);
    executor_.RunReady();
    return verdicts_.back();
  }
  // Whether the verdict was remembered.
  bool Known(IdentityRef identity, Attributes attributes) {
    const size_t before = verdicts_.size();
    Ask(std::move(identity), std::move(attributes));
    const bool known = verdicts_.size() > before;
    if (!known) {
      reviews_.Fail(403);
      executor_.RunReady();
    }
    return known;
  }

  ManualExecutor executor_;
  FakeReviews reviews_;
  std::vector<Verdict> verdicts_;
  std::unique_ptr<Authorizer> authorizer_ = Authorizer::Make({});
};

TEST_F(AuthorizerTest, AnAllowedReadIsProvenForExactlyItself) {
  const Verdict verdict = AskAndAnswer(User("alice"), Pods("spec.nodeName=n1"), kAllowed);
  ASSERT_EQ(verdict.kind, Kind::kAllowed);
  ASSERT_NE(verdict.authorized, nullptr);
  EXPECT_EQ(verdict.authorized->identity()->name, "alice");
  EXPECT_EQ(verdict.authorized->attributes().field_selector,
            Pods("spec.nodeName=n1").field_selector);
}

TEST_F(AuthorizerTest, AsksAtThePathOfTheApi) {
  Ask(User("alice"), Pods());
  EXPECT_EQ(reviews_.pending()[0].path, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
  EXPECT_THAT(reviews_.pending()[0].body, HasSubstr(R"("user":"alice")"));
}

TEST_F(AuthorizerTest, ARefusalHasUpstreamsReason) {
  const Verdict verdict = AskAndAnswer(User("alice"), Pods(), kDenied);
  EXPECT_EQ(verdict.kind, Kind::kDenied);
  EXPECT_EQ(verdict.reason, "no relationship");
  EXPECT_EQ(verdict.authorized, nullptr);
  Ask(User("alice"), Pods());
  EXPECT_EQ(verdicts_.back().reason, "no relationship");
  EXPECT_EQ(reviews_.count(), 1u);
}

TEST_F(AuthorizerTest, DeniedBeatsAllowed) {
  EXPECT_EQ(
      AskAndAnswer(User("a"), Pods(),
                   R"({"kind":"SubjectAccessReview","status":{"allowed":true,"denied":true}})")
          .kind,
      Kind::kDenied);
}

TEST_F(AuthorizerTest, VerdictsAreRememberedForTheirTtl) {
  AskAndAnswer(User("alice"), Pods(), kAllowed);
  executor_.Advance(9s);
  EXPECT_TRUE(Known(User("alice"), Pods()));
  executor_.Advance(1s);
  EXPECT_FALSE(Known(User("alice"), Pods()));
}

TEST_F(AuthorizerTest, ARefusalOfANodeIsRememberedForASecond) {
  AskAndAnswer(User("system:node:n1"), Pods(), kDenied);
  executor_.Advance(900ms);
  EXPECT_TRUE(Known(User("system:node:n1"), Pods()));
  executor_.Advance(100ms);
  EXPECT_FALSE(Known(User("system:node:n1"), Pods()));
  AskAndAnswer(User("system:node:n1"), Pods(), kAllowed);
  executor_.Advance(9s);
  EXPECT_TRUE(Known(User("system:node:n1"), Pods()));
}

TEST_F(AuthorizerTest, MastersAreAllowedWithoutAsking) {
  Ask(User("root", {"dev", "system:masters"}), Pods());
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_EQ(verdicts_[0].kind, Kind::kAllowed);
  EXPECT_NE(verdicts_[0].authorized, nullptr);
  EXPECT_EQ(reviews_.count(), 0u);
  Ask(User("system:masters"), Pods());
  EXPECT_EQ(reviews_.count(), 1u);
}

TEST_F(AuthorizerTest, AVerdictHoldsForNoOtherQuestion) {
  AskAndAnswer(User("alice", {"dev"}), Pods("spec.nodeName=n1", "app=x"), kAllowed);
  EXPECT_TRUE(Known(User("alice", {"dev"}), Pods("spec.nodeName=n1", "app=x")));
  EXPECT_FALSE(Known(User("alice", {"dev"}), Pods("spec.nodeName=n2", "app=x")));
  EXPECT_FALSE(Known(User("alice", {"dev"}), Pods("spec.nodeName=n1", "app=y")));
  EXPECT_FALSE(Known(User("alice", {"dev"}), Pods("spec.nodeName=n1")));
  EXPECT_FALSE(Known(User("alice", {"dev"}), Pods("", "app=x")));
  EXPECT_FALSE(Known(User("alice", {"ops"}), Pods("spec.nodeName=n1", "app=x")));
  EXPECT_FALSE(Known(User("alic", {"edev"}), Pods("spec.nodeName=n1", "app=x")));
  Attributes watch = Pods("spec.nodeName=n1", "app=x");
  watch.verb = "watch";
  EXPECT_FALSE(Known(User("alice", {"dev"}), watch));
  Attributes in_a = Pods("spec.nodeName=n1", "app=x");
  in_a.namespace_ = "a";
  EXPECT_FALSE(Known(User("alice", {"dev"}), in_a));
  Attributes named = Pods("spec.nodeName=n1", "app=x");
  named.name = "a";
  EXPECT_FALSE(Known(User("alice", {"dev"}), named));
}

TEST_F(AuthorizerTest, GroupsCountAsASet) {
  AskAndAnswer(User("alice", {"b", "a", "b"}), Pods(), kAllowed);
  EXPECT_TRUE(Known(User("alice", {"a", "b"}), Pods()));
}

TEST_F(AuthorizerTest, EverythingOfTheIdentityIsInTheKey) {
  const auto key = [](const Identity& identity) { return AccessKey(identity, Pods()); };
  Identity plain = *User("a");
  Identity uid = plain;
  uid.uid = "u";
  Identity extra = plain;
  extra.extra["k"] = {"v"};
  Identity extra_twice = plain;
  extra_twice.extra["k"] = {"v", "v"};
  EXPECT_NE(key(plain), key(uid));
  EXPECT_NE(key(plain), key(extra));
  EXPECT_NE(key(extra), key(extra_twice));
}

TEST_F(AuthorizerTest, AFailureIsUnavailableAndNotRemembered) {
  Ask(User("alice"), Pods());
  reviews_.Fail(401);
  executor_.RunReady();
  EXPECT_EQ(verdicts_.back().kind, Kind::kUnavailable);
  EXPECT_EQ(AskAndAnswer(User("alice"), Pods(), "{}").kind, Kind::kUnavailable);
  EXPECT_EQ(AskAndAnswer(User("alice"), Pods(), kAllowed).kind, Kind::kAllowed);
}

TEST_F(AuthorizerTest, WhoAsksTogetherIsAnsweredTogether) {
  ManualExecutor other;
  FakeReviews other_reviews;
  std::vector<Verdict> heard;
  Ask(User("alice"), Pods());
  authorizer_->Authorize(User("alice"), Pods(), other, other_reviews,
                         [&](Verdict verdict) { heard.push_back(std::move(verdict)); });
  EXPECT_EQ(other_reviews.count(), 0u);
  reviews_.Answer(kAllowed);
  EXPECT_THAT(heard, IsEmpty());
  other.RunReady();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0].kind, Kind::kAllowed);
  EXPECT_NE(heard[0].authorized, nullptr);
}

TEST_F(AuthorizerTest, OneUserDoesNotEvictAnother) {
  authorizer_ = Authorizer::Make({.max_entries = 100, .max_entries_per_user = 10});
  AskAndAnswer(User("bob"), Pods(), kAllowed);
  for (int i = 0; i < 200; ++i) {
    Attributes attributes = Pods();
    attributes.name = fmt::format("p{}", i);
    AskAndAnswer(User("alice"), attributes, kAllowed);
  }
  EXPECT_TRUE(Known(User("bob"), Pods()));
}

TEST_F(AuthorizerTest, HugeQuestionsAreAskedButNotRemembered) {
  Attributes huge = Pods();
  huge.name = std::string(10000, 'x');
  AskAndAnswer(User("alice"), huge, kAllowed);
  EXPECT_FALSE(Known(User("alice"), huge));
}

TEST_F(AuthorizerTest, TooManyQuestionsAtOnceAreOverload) {
  authorizer_ = Authorizer::Make({.max_in_flight = 1, .max_waiting = 2});
  Ask(User("a"), Pods());
  Ask(User("b"), Pods());
  Ask(User("c"), Pods());
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_EQ(verdicts_[0].kind, Kind::kOverloaded);
}

TEST_F(AuthorizerTest, ATtlOfZeroRemembersNothing) {
  authorizer_ = Authorizer::Make({.allow_ttl = 0s, .deny_ttl = 0s});
  AskAndAnswer(User("a"), Pods(), kAllowed);
  EXPECT_FALSE(Known(User("a"), Pods()));
}

}  // namespace
}  // namespace weir
