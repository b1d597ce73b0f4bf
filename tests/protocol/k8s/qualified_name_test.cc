#include "protocol/k8s/qualified_name.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(QualifiedNameTest, TheCoreGroupNeedsNoVersion) {
  EXPECT_EQ(ParseQualifiedName("pods"), (ResourceId{"", "v1", "pods"}));
}

TEST(QualifiedNameTest, OthersAreResourceVersionGroup) {
  EXPECT_EQ(ParseQualifiedName("deployments.v1.apps"), (ResourceId{"apps", "v1", "deployments"}));
  EXPECT_EQ(ParseQualifiedName("ipaddresses.v2beta13.networking.k8s.io"),
            (ResourceId{"networking.k8s.io", "v2beta13", "ipaddresses"}));
}

TEST(QualifiedNameTest, AnythingElseIsNone) {
  for (const char* const name :
       {"", ".", "Pods", "pods.", ".v1.apps", "deployments.apps", "deployments.v1", "pods.v1.",
        "deployments.v.apps", "deployments.vx.apps", "deployments.v1gamma1.apps",
        "deployments.v1beta.apps", "deployments.1.apps", "a/b", "deployments.v1.ap ps", "-a",
        "a-"}) {
    EXPECT_FALSE(ParseQualifiedName(name).has_value()) << name;
  }
  EXPECT_FALSE(ParseQualifiedName(std::string(300, 'a')).has_value());
}

}  // namespace
}  // namespace weir
