#include <gtest/gtest.h>

#include "proxy/auth/authorizer.h"

namespace weir {
namespace {

Attributes Of(std::string verb, ResourceId resource, std::string name_space = "",
              std::string name = "") {
  Attributes attributes;
  attributes.verb = std::move(verb);
  attributes.resource = std::move(resource);
  attributes.namespace_ = std::move(name_space);
  attributes.name = std::move(name);
  return attributes;
}

Identity User(std::string name) {
  Identity identity;
  identity.name = std::move(name);
  return identity;
}

const ResourceId kPods = {.group = "", .version = "v1", .resource = "pods"};

TEST(ForbiddenMessageTest, IsUpstreamsForANamespace) {
  EXPECT_EQ(
      ForbiddenMessage(User("alice"), Of("list", kPods, "default"), ""),
      R"(pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default")");
}

TEST(ForbiddenMessageTest, IsUpstreamsForTheClusterAGroupANameAndAReason) {
  const ResourceId deployments = {.group = "apps", .version = "v1", .resource = "deployments"};
  EXPECT_EQ(ForbiddenMessage(User("alice"), Of("watch", deployments), "no RBAC policy & more"),
            "deployments.apps is forbidden: User \"alice\" cannot watch resource \"deployments\" "
            "in API group "
            "\"apps\" at the cluster scope: no RBAC policy & more");
  EXPECT_EQ(ForbiddenMessage(User("alice"), Of("get", kPods, "a", "x"), ""),
            "pods \"x\" is forbidden: User \"alice\" cannot get resource \"pods\" in API group "
            "\"\" in the "
            "namespace \"a\"");
}

TEST(ForbiddenMessageTest, EscapesTheCoreForHtmlAndThePrefixNot) {
  EXPECT_EQ(ForbiddenMessage(User("<&\"\u200b"), Of("get", kPods, "", "x\"<&y"), ""),
            "pods \"x\\\"<&y\" is forbidden: User \"&lt;&amp;\\\"\\u200b\" cannot get resource "
            "\"pods\" in API group "
            "\"\" at the cluster scope");
}

}  // namespace
}  // namespace weir
