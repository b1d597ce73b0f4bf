#include "protocol/k8s/selectable_fields.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::string_literals;
using Kind = SelectableField::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Text(Kind kind, const std::string& raw, Encoding encoding) {
  SelectableField field;
  field.kind = kind;
  std::string scratch;
  // A copy on the heap, so that a read behind the end is seen.
  return std::string(field.Text(std::string(raw), encoding, scratch));
}
std::string JsonText(Kind kind, const std::string& raw) { return Text(kind, raw, Encoding::kJson); }
std::string ProtoText(Kind kind, const std::string& raw) {
  return Text(kind, raw, Encoding::kProtobuf);
}

TEST(SelectableFieldTest, JsonStringsAreUnescapedAndLiteralsAreTheirText) {
  EXPECT_EQ(JsonText(Kind::kString, "node-7"), "node-7");
  EXPECT_EQ(JsonText(Kind::kString, R"(a\u003cb\"\\\ud83c\udf0a)"), "a<b\"\\\U0001F30A");
  EXPECT_EQ(JsonText(Kind::kBool, "true"), "true");
  EXPECT_EQ(JsonText(Kind::kBool, "false"), "false");
  EXPECT_EQ(JsonText(Kind::kNumber, "12"), "12");
  EXPECT_EQ(JsonText(Kind::kNumber, "-3"), "-3");
  // Of custom resources.
  EXPECT_EQ(JsonText(Kind::kString, "true"), "true");
  EXPECT_EQ(JsonText(Kind::kString, "9007199254740993"), "9007199254740993");
}

TEST(SelectableFieldTest, ProtobufScalarsAreWrittenAsTheirKind) {
  EXPECT_EQ(ProtoText(Kind::kString, R"(a\u003c)"), R"(a\u003c)");
  EXPECT_EQ(ProtoText(Kind::kBool, "\x00"s), "false");
  EXPECT_EQ(ProtoText(Kind::kBool, "\x01"), "true");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\x00"s), "0");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\x05"), "5");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\xAC\x02"), "300");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\xFF\xFF\xFF\xFF\x07"), "2147483647");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "-1");
  EXPECT_EQ(ProtoText(Kind::kNumber, "\x80\x80\x80\x80\xF8\xFF\xFF\xFF\xFF\x01"), "-2147483648");
}

TEST(SelectableFieldTest, MalformedVarintsAreZero) {
  for (const std::string& raw : {"\x80"s, "\xFF\xFF"s, std::string(11, '\xFF')}) {
    EXPECT_EQ(ProtoText(Kind::kNumber, raw), "0");
    EXPECT_EQ(ProtoText(Kind::kBool, raw), "false");
  }
}

TEST(SelectableFieldTest, AbsentMeansWhatGoHasForIt) {
  for (const Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
    EXPECT_EQ(Text(Kind::kString, "", encoding), "");
    EXPECT_EQ(Text(Kind::kBool, "", encoding), "false");
    EXPECT_EQ(Text(Kind::kNumber, "", encoding), "0");
  }
}

TEST(SelectableFieldTest, TextNeedsNoCopyWhereThereIsNoEscape) {
  const std::string raw = "node-7";
  std::string scratch;
  EXPECT_EQ(SelectableField().Text(raw, Encoding::kJson, scratch).data(), raw.data());
  EXPECT_EQ(SelectableField().Text(raw, Encoding::kProtobuf, scratch).data(), raw.data());
}

// "label", or "label|old label", each followed by where it is: "spec.nodeName @2.10".
std::vector<std::string> Rows(const ResourceId& id) {
  const auto fields = SelectableFields::BuiltIn(id);
  std::vector<std::string> rows;
  for (size_t i = 0; i < fields->size(); ++i) {
    const SelectableField& field = (*fields)[i];
    std::string path, numbers;
    for (const std::string& key : field.json_path) path += (path.empty() ? "" : ".") + key;
    for (const uint32_t number : field.proto_path) {
      numbers += (numbers.empty() ? "" : ".") + std::to_string(number);
    }
    std::string row = field.label;
    if (!field.old_label.empty()) row += "|" + field.old_label;
    if (path != field.label) row += " in " + (path.empty() ? "nothing" : path);
    if (!numbers.empty()) row += " @" + numbers;
    if (field.kind == Kind::kBool) row += " bool";
    if (field.kind == Kind::kNumber) row += " number";
    if (field.fallback) row += " else " + (*fields)[*field.fallback].label;
    rows.push_back(std::move(row));
  }
  return rows;
}
bool ByNamespace(const ResourceId& id) { return SelectableFields::BuiltIn(id)->by_namespace(); }

TEST(BuiltInFieldsTest, AreThoseOfKubeApiserver) {
  EXPECT_THAT(Rows({"", "v1", "pods"}),
              ElementsAre("spec.nodeName|spec.host @2.10", "spec.restartPolicy @2.3",
                          "spec.schedulerName @2.19", "spec.serviceAccountName @2.8",
                          "spec.hostNetwork @2.11 bool", "status.phase @3.1", "status.podIP @3.6",
                          "status.nominatedNodeName @3.11", "status.podIPs in nothing"));
  EXPECT_THAT(Rows({"", "v1", "nodes"}), ElementsAre("spec.unschedulable @2.4 bool"));
  EXPECT_THAT(Rows({"", "v1", "namespaces"}), ElementsAre("status.phase @3.1"));
  EXPECT_THAT(Rows({"", "v1", "secrets"}), ElementsAre("type @3"));
  EXPECT_THAT(Rows({"", "v1", "services"}), ElementsAre("spec.clusterIP @2.3", "spec.type @2.4"));
  EXPECT_THAT(Rows({"", "v1", "replicationcontrollers"}),
              ElementsAre("status.replicas @3.1 number"));
  EXPECT_THAT(
      Rows({"", "v1", "events"}),
      ElementsAre("involvedObject.kind @2.1", "involvedObject.namespace @2.2",
                  "involvedObject.name @2.3", "involvedObject.uid @2.4",
                  "involvedObject.apiVersion @2.5", "involvedObject.resourceVersion @2.6",
                  "involvedObject.fieldPath @2.7", "reason @3", "type @9", "reportingComponent @14",
                  "source in source.component @5.1 else reportingComponent"));
  for (const char* version : {"v1", "v1beta1"}) {
    EXPECT_THAT(
        Rows({"events.k8s.io", version, "events"}),
        ElementsAre("regarding.kind @8.1", "regarding.namespace @8.2", "regarding.name @8.3",
                    "regarding.uid @8.4", "regarding.apiVersion @8.5",
                    "regarding.resourceVersion @8.6", "regarding.fieldPath @8.7", "reason @7",
                    "type @11", "reportingController @4"));
    EXPECT_THAT(Rows({"certificates.k8s.io", version, "certificatesigningrequests"}),
                ElementsAre("spec.signerName @2.7"));
    EXPECT_THAT(Rows({"certificates.k8s.io", version, "podcertificaterequests"}),
                ElementsAre("spec.signerName @2.1", "spec.podName @2.2", "spec.nodeName @2.6"));
  }
  EXPECT_THAT(Rows({"batch", "v1", "jobs"}),
              ElementsAre("status.successful in status.succeeded @3.5 number"));
  for (const char* version : {"v1", "v1beta1", "v1alpha1"}) {
    EXPECT_THAT(Rows({"certificates.k8s.io", version, "clustertrustbundles"}),
                ElementsAre("spec.signerName @2.1"));
  }
  for (const char* version : {"v1", "v1beta1", "v1beta2"}) {
    EXPECT_THAT(Rows({"resource.k8s.io", version, "resourceslices"}),
                ElementsAre("spec.driver @2.1", "spec.pool.name @2.2.1", "spec.nodeName @2.3"));
  }
}

TEST(BuiltInFieldsTest, OtherTypesHaveNone) {
  for (const ResourceId& id :
       {ResourceId{"", "v1", "configmaps"}, ResourceId{"apps", "v1", "replicasets"},
        ResourceId{"batch", "v1", "cronjobs"}, ResourceId{"batch", "v1beta1", "jobs"},
        ResourceId{"coordination.k8s.io", "v1", "leases"}, ResourceId{"example.com", "v1", "pods"},
        ResourceId{"resource.k8s.io", "v1alpha3", "resourceslices"}}) {
    EXPECT_THAT(Rows(id), IsEmpty()) << id.ToString();
  }
}

TEST(BuiltInFieldsTest, SomeKindsRefuseTheNamespaceField) {
  for (const ResourceId& id :
       {ResourceId{"", "v1", "nodes"}, ResourceId{"", "v1", "namespaces"},
        ResourceId{"certificates.k8s.io", "v1", "certificatesigningrequests"},
        ResourceId{"certificates.k8s.io", "v1alpha1", "clustertrustbundles"},
        ResourceId{"certificates.k8s.io", "v1alpha1", "podcertificaterequests"},
        ResourceId{"resource.k8s.io", "v1", "resourceslices"},
        ResourceId{"resource.k8s.io", "v1alpha3", "resourceslices"}}) {
    EXPECT_FALSE(ByNamespace(id)) << id.ToString();
  }
  for (const ResourceId& id :
       {ResourceId{"", "v1", "pods"}, ResourceId{"", "v1", "persistentvolumes"},
        ResourceId{"rbac.authorization.k8s.io", "v1", "clusterroles"},
        ResourceId{"resource.k8s.io", "v1", "deviceclasses"}, ResourceId{"", "v1", "events"}}) {
    EXPECT_TRUE(ByNamespace(id)) << id.ToString();
  }
}

TEST(BuiltInFieldsTest, AreNoMoreThanAnObjectRecords) {
  EXPECT_LE(SelectableFields::BuiltIn({"", "v1", "events"})->size(), SelectableFields::kMax);
}

TEST(SelectableFieldsTest, AFieldIsFoundUnderItsOldNameToo) {
  const auto pods = SelectableFields::BuiltIn({"", "v1", "pods"});
  EXPECT_EQ(pods->Find("spec.host"), pods->Find("spec.nodeName"));
  EXPECT_TRUE(pods->Find("spec.host"));
  EXPECT_EQ(pods->Find(""), std::nullopt);
  EXPECT_EQ(pods->Find("spec"), std::nullopt);
  EXPECT_EQ(pods->Find("spec.nodename"), std::nullopt);
  EXPECT_EQ(
      SelectableFields::BuiltIn({"resource.k8s.io", "v1", "resourceslices"})->Find("spec.host"),
      std::nullopt);
}

TEST(SelectableFieldsTest, CustomResourcesHaveThePlainPathsOfTheirDefinition) {
  const auto fields =
      SelectableFields::Custom({".spec.color", ".spec.size.cm", ".a_b-1", ".status.kind"});
  ASSERT_EQ(fields->size(), 4u);
  EXPECT_EQ((*fields)[0].label, "spec.color");
  EXPECT_THAT((*fields)[1].json_path, ElementsAre("spec", "size", "cm"));
  EXPECT_EQ((*fields)[2].label, "a_b-1");
  EXPECT_THAT((*fields)[0].proto_path, IsEmpty());
  EXPECT_EQ(fields->Find("spec.size.cm"), 1u);
  EXPECT_EQ(fields->Find(".spec.color"), std::nullopt);
}

TEST(SelectableFieldsTest, OtherPathsOfCustomResourcesAreLeftOut) {
  const auto fields = SelectableFields::Custom(
      {"", ".", "spec.a", "..a", ".a.", ".a..b", ".spec['a']", ".spec.a[0]", R"(.spec.a\.b)",
       ".spec.*", ".spec.a b", ".spec.gr\xC3\xBCn", ".metadata.name", ".kind", ".apiVersion",
       ".spec.last"});
  ASSERT_EQ(fields->size(), 1u);
  EXPECT_EQ((*fields)[0].label, "spec.last");
}

TEST(SelectableFieldsTest, CustomResourcesHaveNoMoreThanAnObjectRecords) {
  std::vector<std::string> paths;
  for (int i = 0; i < 40; ++i) paths.push_back(".spec.a" + std::to_string(i));
  EXPECT_EQ(SelectableFields::Custom(paths)->size(), SelectableFields::kMax);
}

bool Served(std::string_view selector, const SelectableFields& fields, bool namespaced,
            bool custom) {
  return SelectorsServed(FieldSelector::Parse(selector).value(), fields, namespaced, custom);
}

TEST(SelectorsServedTest, EveryLabelMustBeOneOfTheTypes) {
  const SelectableFields& pods = *SelectableFields::BuiltIn({"", "v1", "pods"});
  for (const char* selector :
       {"", "metadata.name=a", "metadata.namespace!=a", "spec.host=a,status.podIPs!=x",
        "spec.nodeName=a,status.phase=Running,metadata.name=x"}) {
    EXPECT_TRUE(Served(selector, pods, true, false)) << selector;
  }
  for (const char* selector : {"spec.foo=a", "status.phase=Running,spec.foo!=a", "=a", "name=a",
                               "metadata.uid=a", "Spec.nodeName=a"}) {
    EXPECT_FALSE(Served(selector, pods, true, false)) << selector;
  }
}

TEST(SelectorsServedTest, TheNamespaceFieldFollowsTheKindOrTheScopeOfCustomResources) {
  const char* const selector = "metadata.namespace=a";
  EXPECT_FALSE(Served(selector, *SelectableFields::BuiltIn({"", "v1", "nodes"}), false, false));
  EXPECT_TRUE(
      Served(selector, *SelectableFields::BuiltIn({"", "v1", "persistentvolumes"}), false, false));
  EXPECT_FALSE(Served(
      selector, *SelectableFields::BuiltIn({"certificates.k8s.io", "v1", "podcertificaterequests"}),
      true, false));
  const auto custom = SelectableFields::Custom({".spec.color"});
  EXPECT_TRUE(Served(selector, *custom, true, true));
  EXPECT_FALSE(Served(selector, *custom, false, true));
  EXPECT_TRUE(Served("spec.color=red,metadata.name=a", *custom, false, true));
  EXPECT_FALSE(Served("spec.host=red", *custom, false, true));
}

}  // namespace
}  // namespace weir
