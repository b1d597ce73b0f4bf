#include "proxy/auth/kept_attributes.h"

#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "proxy/auth/access_key.h"

namespace weir {
namespace {

Attributes OfTarget(const std::string& target) {
  http::RequestHead head;
  head.method = "GET";
  head.target = target;
  head.headers.Add("Accept", "application/json");
  const auto classified = ClassifyRead(head);
  const auto* const request = std::get_if<ReadRequest>(&classified);
  if (request == nullptr) {
    ADD_FAILURE() << target;
    return {};
  }
  return AttributesOf(*request);
}

void ExpectKept(const Attributes& attributes, const std::string& what) {
  const Attributes unpacked = KeptAttributes(attributes).Unpack();
  EXPECT_EQ(unpacked.verb, attributes.verb) << what;
  EXPECT_EQ(unpacked.resource, attributes.resource) << what;
  EXPECT_EQ(unpacked.namespace_, attributes.namespace_) << what;
  EXPECT_EQ(unpacked.name, attributes.name) << what;
  EXPECT_EQ(unpacked.field_selector, attributes.field_selector) << what;
  EXPECT_EQ(unpacked.label_selector, attributes.label_selector) << what;
  const Identity nobody;
  EXPECT_EQ(AccessKey(nobody, unpacked), AccessKey(nobody, attributes)) << what;
}

TEST(KeptAttributesTest, UnpacksWhatWasPacked) {
  for (const char* target : {
           "/api/v1/pods?watch=true",
           "/api/v1/namespaces/team-a/configmaps?watch=1&fieldSelector=metadata.name%3Dx",
           "/api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dx,spec.nodeName!%3Dn1&watch=1",
           "/apis/apps/v1/deployments?watch=1&labelSelector=a+in+(x,y),!b,c!%3Dz,d,e>5",
           "/api/v1/nodes?watch=1&fieldSelector=metadata.name!%3Dx",
           "/api/v1/namespaces/a/pods/b?resourceVersion=0",
           "/apis/coordination.k8s.io/v1/leases?resourceVersion=0",
       }) {
    ExpectKept(OfTarget(target), target);
  }
}

TEST(KeptAttributesTest, TakesWhatIsLongAndWhatIsOdd) {
  Attributes attributes =
      OfTarget("/api/v1/pods?watch=1&labelSelector=" + std::string(60, 'k') + "%3Dv");
  attributes.namespace_ = std::string(100'000, 'n');
  attributes.name = std::string("with\0zero", 9);
  ExpectKept(attributes, "long");
  // Of a name that is not what the selector says neither is lost.
  attributes.field_selector = FieldSelector::Parse("metadata.name=other").value();
  ExpectKept(attributes, "another name");
}

}  // namespace
}  // namespace weir
