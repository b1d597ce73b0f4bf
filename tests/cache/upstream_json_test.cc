#include "cache/upstream_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(UpstreamJsonTest, SelectablePathsAreToldByVersion) {
  EXPECT_THAT(
      SelectablePaths(
          R"({"metadata":{"name":"shirts.example.com"},"spec":{"group":"example.com","versions":[)"
          R"({"name":"v1","served":true,"selectableFields":[{"jsonPath":".spec.color"},)"
          R"({"jsonPath":".spec.size"}],"schema":{"openAPIV3Schema":{"type":"object"}}},)"
          R"({"name":"v1beta1","served":true},)"
          R"({"name":"v2","selectableFields":[{"jsonPath":".spec.fit"}]}]}})"),
      UnorderedElementsAre(Pair("v1", ElementsAre(".spec.color", ".spec.size")),
                           Pair("v2", ElementsAre(".spec.fit"))));
}

TEST(UpstreamJsonTest, OddDefinitionsHaveNoSelectablePaths) {
  for (const char* crd : {
           "",
           "{}",
           R"({"spec":{"versions":[{"name":"v1"}]}})",
           R"({"spec":{"selectableFields":[{"jsonPath":".spec.a"}],"versions":[{"name":"v1"}]}})",
           R"({"spec":{"versions":[{"name":"v1","selectableFields":{"jsonPath":".spec.a"}}]}})",
           R"({"spec":{"versions":{"selectableFields":[{"jsonPath":".spec.a"}]}}})",
           R"({"spec":{"versions":[{"name":"v1","selectableFields":[{"jsonPath":".spec.a"}]}]})",
       }) {
    EXPECT_THAT(SelectablePaths(crd), IsEmpty()) << crd;
  }
}

}  // namespace
}  // namespace weir
