#include "protocol/k8s/labels_view.h"

#include <string>

#include "gtest/gtest.h"
#include "protocol/k8s/label_selector.h"
#include "protocol/k8s/proto_wire.h"

namespace weir {
namespace {

using std::string_literals::operator""s;

std::string Entry(std::string_view key, std::string_view value) {
  std::string inner, out;
  AppendBytesField(inner, 1, key);
  AppendBytesField(inner, 2, value);
  AppendBytesField(out, 11, inner);
  return out;
}

TEST(LabelsViewTest, FindsWholeKeysOnly) {
  const std::string entries = Entry("app", "web") + Entry("app.kubernetes.io/name", "x") +
                              Entry("value", "app") + Entry("z", "");
  for (const LabelsView& labels :
       {LabelsView(R"({"app":"web","app.kubernetes.io/name":"x","value":"app","z":""})"),
        LabelsView(entries, Encoding::kProtobuf)}) {
    EXPECT_EQ(labels.Find("app"), "web");
    EXPECT_EQ(labels.Find("app.kubernetes.io/name"), "x");
    EXPECT_EQ(labels.Find("z"), "");
    EXPECT_EQ(labels.Find("web"), std::nullopt);
    EXPECT_EQ(labels.Find("ap"), std::nullopt);
  }
}

TEST(LabelsViewTest, ObjectsWithoutLabelsHaveNone) {
  for (const char* text :
       {"", "{}", "null", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\""}) {
    EXPECT_EQ(LabelsView(text).Find("a"), std::nullopt) << text;
  }
}

TEST(LabelsViewTest, MalformedEntriesEndTheSearch) {
  const std::string label = Entry("a", "x");
  const auto find = [](const std::string& labels) {
    return LabelsView(labels, Encoding::kProtobuf).Find("a");
  };
  EXPECT_EQ(find(Entry("b", "") + label), "x");
  EXPECT_EQ(find("\x58\x01"s + label), std::nullopt);          // No message.
  EXPECT_EQ(find("\x5a\x02\x08\x01"s + label), std::nullopt);  // A key that is a number.
  EXPECT_EQ(find("\x5a\x02\x0a\x05"s + label), std::nullopt);  // A key behind its entry's end.
  EXPECT_EQ(find("\x5a\x7f"s + label), std::nullopt);          // An entry behind the end.
  EXPECT_EQ(find("\x5a\x03\x0a\x01"s + "a"), "");              // Without a value it is empty.
}

TEST(LabelsViewTest, SelectorsReadBothEncodings) {
  const std::string entries = Entry("app", "web") + Entry("tier", "5");
  const LabelsView labels(entries, Encoding::kProtobuf);
  for (const char* yes : {"", "app=web", "app in (api,web)", "tier>4", "!missing", "app!=api"}) {
    EXPECT_TRUE(LabelSelector::Parse(yes)->Matches(labels)) << yes;
  }
  for (const char* no : {"app=api", "tier<5", "missing", "!app"}) {
    EXPECT_FALSE(LabelSelector::Parse(no)->Matches(labels)) << no;
  }
}

}  // namespace
}  // namespace weir
