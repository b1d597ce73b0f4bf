#include "protocol/k8s/accept.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";
const std::string kPartial = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const std::string kPartialList = ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

http::RequestHead Request(std::string target, std::string_view header = "",
                          std::string_view value = "") {
  http::RequestHead head;
  head.method = "GET";
  head.target = std::move(target);
  if (!header.empty()) head.headers.Add(header, value);
  return head;
}

// "json", "protobuf metadata", "json pretty", …, or "forward".
std::string Text(const Negotiated& negotiated) {
  if (!negotiated.serve) return "forward";
  std::string text(ToString(negotiated.form.encoding));
  if (negotiated.form.metadata_only) text += " metadata";
  if (negotiated.pretty) text += " pretty";
  return text;
}

// Both outcomes: one word where they are equal, else "built-in | custom".
std::string Outcome(const http::RequestHead& head, ReadVerb verb) {
  const Negotiation result = NegotiateRead(head, verb);
  if (result.built_in == result.custom) return Text(result.custom);
  return Text(result.built_in) + " | " + Text(result.custom);
}
std::string Outcome(std::string_view accept, ReadVerb verb = ReadVerb::kList) {
  return Outcome(Request("/api/v1/pods", "Accept", accept), verb);
}

struct Row {
  std::string accept;
  std::string outcome;
};

TEST(AcceptTest, WhatClientsOfKubernetesSendIsServed) {
  const std::string protobuf(kProtobuf);
  EXPECT_EQ(Outcome(Request("/api/v1/pods"), ReadVerb::kList), "json");
  for (const ReadVerb verb : {ReadVerb::kGet, ReadVerb::kList, ReadVerb::kWatch}) {
    const std::string as = verb == ReadVerb::kList ? kPartialList : kPartial;
    const Row rows[] = {
        {protobuf + ",application/json", "protobuf | json"},
        {"application/json, */*", "json"},
        {"application/json", "json"},
        {protobuf + as + ",application/json" + as + ",application/json",
         "protobuf metadata | protobuf-metadata metadata"},
        {"application/json" + as + ",application/json", "json metadata"},
        {"", "json"},
        {"*/*", "json"},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", "json"},
    };
    for (const Row& row : rows) EXPECT_EQ(Outcome(row.accept, verb), row.outcome) << row.accept;
  }
}

TEST(AcceptTest, OtherFormsAndRefusalsAreForwarded) {
  for (const char* accept :
       {"application/yaml", "application/yaml,application/json", "text/html", "application",
        "Application/JSON", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
        "application/cbor,application/json", "application/json;q=0.9,application/cbor;q=1",
        "application/json;stream=other", "application/json;sv=v2", "*/json",
        "application/json;as=Nonsense;v=v1;g=meta.k8s.io",
        "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1beta1",
        "application/yaml;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        "application/json;drop=metadata.managedFields", "application/json;q=0x1p-1"}) {
    EXPECT_EQ(Outcome(accept), "forward") << accept;
  }
}

TEST(AcceptTest, InadmissibleClausesAreSkipped) {
  const Row rows[] = {
      {"application/json;as=PartialObjectMetadataList;v=v1, application/json", "json"},
      {"application/json;as=Nonsense;v=v1;g=meta.k8s.io, application/json", "json"},
      {"application/json;stream=other,application/json;sv=v1", "json"},
      {"application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", "json"},
      {"application/vnd.kubernetes.protobuf;stream=other,*/*", "json"},
      {"application/yaml;stream=watch,application/json", "json"},
      {", ,application/json", "json"},
      {"application/json,application/json;drop=metadata.managedFields", "json"},
  };
  for (const Row& row : rows) EXPECT_EQ(Outcome(row.accept), row.outcome) << row.accept;
}

TEST(AcceptTest, BuiltInTypesAndCustomResourcesDiffer) {
  const std::string protobuf(kProtobuf);
  const Row rows[] = {
      {protobuf, "protobuf | forward"},
      {"application/*", "forward | json"},
      {"*", "forward | json"},
      {"*/", "forward | json"},
      {"application /json", "forward | json"},
      // The router sees a name that it knows, the negotiation takes the wildcard.
      {"application/*;q=1,application/yaml;as=x;q=0.1", "json"},
      {protobuf + kPartialList, "protobuf metadata | protobuf-metadata metadata"},
      {"*/*" + kPartialList, "json metadata"},
      {protobuf + ";stream=watch", "protobuf | forward"},
  };
  for (const Row& row : rows) EXPECT_EQ(Outcome(row.accept), row.outcome) << row.accept;
}

TEST(AcceptTest, MetadataOfAListIsAnotherKindThanThatOfAnObject) {
  const std::string one = "application/json" + kPartial;
  const std::string list = "application/json" + kPartialList;
  for (const ReadVerb verb : {ReadVerb::kGet, ReadVerb::kWatch}) {
    EXPECT_EQ(Outcome(one, verb), "json metadata");
    EXPECT_EQ(Outcome(list, verb), "forward");
  }
  EXPECT_EQ(Outcome(one, ReadVerb::kList), "forward");
  EXPECT_EQ(Outcome(list, ReadVerb::kList), "json metadata");
}

// Also of a LIST: the parameter only says that the type must have a form for streams.
TEST(AcceptTest, TheStreamFormMayBeNamed) {
  for (const ReadVerb verb : {ReadVerb::kList, ReadVerb::kWatch}) {
    EXPECT_EQ(Outcome("application/json;stream=watch", verb), "json");
    EXPECT_EQ(Outcome(std::string(kProtobuf) + ";stream=watch", verb), "protobuf | forward");
  }
}

TEST(AcceptTest, WeightAndSpecificityDecide) {
  EXPECT_EQ(Outcome("*/*;q=1,application/yaml;q=0.5,application/json;q=0.7"), "json");
  EXPECT_EQ(Outcome("*/*;q=1,application/yaml;q=0.5"), "forward");
  EXPECT_EQ(Outcome("application/yaml;q=0.4,*/*;q=0.5"), "json");
  EXPECT_EQ(Outcome("application/json;q=0.5,application/vnd.kubernetes.protobuf;q=0.7"),
            "protobuf | json");
  EXPECT_EQ(Outcome("application/json;q=0"), "json");
}

TEST(AcceptTest, MoreClausesThanUpstreamSortsStablyAreForwarded) {
  std::string accept = "application/json";
  for (int i = 0; i < 11; ++i) accept += ",text/html";
  EXPECT_EQ(Outcome(accept), "json");
  EXPECT_EQ(Outcome(accept + ",text/html"), "forward");
}

TEST(AcceptTest, OfSeveralLinesTheFirstCounts) {
  http::RequestHead head = Request("/api/v1/pods", "Accept", "application/json");
  head.headers.Add("accept", "application/yaml");
  EXPECT_EQ(Outcome(head, ReadVerb::kList), "json");
  head = Request("/api/v1/pods", "Accept", "");
  head.headers.Add("accept", "application/yaml");
  EXPECT_EQ(Outcome(head, ReadVerb::kList), "json");
}

bool Pretty(const http::RequestHead& head) {
  const Negotiation result = NegotiateRead(head, ReadVerb::kGet);
  EXPECT_TRUE(result.custom.serve);
  EXPECT_EQ(NegotiateError(head) == ErrorForm::kIndentedJson, result.custom.pretty);
  return result.custom.pretty;
}

TEST(PrettyTest, TheParameterDecidesWhereItIsNotEmpty) {
  for (const char* yes : {"pretty=1", "pretty=t", "pretty=T", "pretty=true", "pretty=TRUE",
                          "pretty=True", "x=1&pretty=true&pretty=false"}) {
    EXPECT_TRUE(Pretty(Request(std::string("/api/v1/pods?") + yes))) << yes;
  }
  for (const char* no : {"pretty=0", "pretty=false", "pretty=yes", "pretty=tRUE", "pretty=",
                         "pretty", "%70retty=1", "Pretty=1", "pretty=false&pretty=true"}) {
    EXPECT_FALSE(Pretty(Request(std::string("/api/v1/pods?") + no))) << no;
  }
}

TEST(PrettyTest, ElseThePersonBehindTheClientDoes) {
  for (const char* agent : {"curl/8.0", "Wget/1.21", "Mozilla/5.0 (X11)"}) {
    EXPECT_TRUE(Pretty(Request("/api/v1/pods", "User-Agent", agent))) << agent;
    EXPECT_TRUE(Pretty(Request("/api/v1/pods?pretty", "User-Agent", agent))) << agent;
    EXPECT_FALSE(Pretty(Request("/api/v1/pods?pretty=false", "User-Agent", agent))) << agent;
    EXPECT_FALSE(Pretty(Request("/api/v1/pods?pretty=yes", "User-Agent", agent))) << agent;
  }
  for (const char* agent : {"", "kubelet/v1.37", "Curl/8.0", "libcurl", "Mozilla/4.0"}) {
    EXPECT_FALSE(Pretty(Request("/api/v1/pods", "User-Agent", agent))) << agent;
  }
}

TEST(PrettyTest, TheChosenClauseCanAskToo) {
  EXPECT_TRUE(Pretty(Request("/api/v1/pods?pretty=false", "Accept",
                             "application/yaml;q=0.1, application/json; pretty=1")));
  EXPECT_FALSE(Pretty(Request("/api/v1/pods", "Accept", "application/json;pretty=true")));
  EXPECT_FALSE(
      Pretty(Request("/api/v1/pods", "Accept", "application/json,application/yaml;pretty=1")));
}

TEST(PrettyTest, OnlyJsonAndNeverOfAWatch) {
  http::RequestHead head = Request("/api/v1/pods?pretty=true", "Accept", kProtobuf);
  EXPECT_EQ(Outcome(head, ReadVerb::kList), "protobuf | forward");
  head = Request("/api/v1/pods?pretty=true", "Accept", "application/json;pretty=1");
  EXPECT_EQ(Outcome(head, ReadVerb::kWatch), "json");
}

ErrorForm Error(std::string_view accept) {
  return NegotiateError(Request("/api/v1/pods", "Accept", accept));
}

TEST(ErrorFormTest, FollowsAcceptWithoutConversions) {
  EXPECT_EQ(NegotiateError(Request("/api/v1/pods")), ErrorForm::kJson);
  for (const char* accept :
       {"application/json", "*/*", "application/*", "*", "application/json;stream=watch",
        "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}) {
    EXPECT_EQ(Error(accept), ErrorForm::kJson) << accept;
  }
  EXPECT_EQ(Error("application/yaml"), ErrorForm::kYaml);
  EXPECT_EQ(Error("application/yaml;pretty=1"), ErrorForm::kYaml);
  EXPECT_EQ(Error(kProtobuf), ErrorForm::kProtobuf);
  EXPECT_EQ(Error("application/vnd.kubernetes.protobuf,application/json"), ErrorForm::kProtobuf);
  EXPECT_EQ(Error("application/json;pretty=1"), ErrorForm::kIndentedJson);
}

TEST(ErrorFormTest, IsIndentedWhereNothingIsAcceptable) {
  for (const char* accept :
       {"text/html", "application/cbor", "application/json;as=Table;v=v1;g=meta.k8s.io",
        "application/json;sv=v1", "application/vnd.kubernetes.protobuf;as=PartialObjectMetadata",
        "nonsense", ","}) {
    EXPECT_EQ(Error(accept), ErrorForm::kIndentedJson) << accept;
  }
}

TEST(AcceptsGzipTest, WantsTheBareToken) {
  const auto accepts = [](std::string_view value) {
    return AcceptsGzip(Request("/api/v1/pods", "Accept-Encoding", value));
  };
  for (const char* yes : {"gzip", "deflate, gzip", "gzip,br", "\tgzip\t,x", "x,,gzip"}) {
    EXPECT_TRUE(accepts(yes)) << yes;
  }
  for (const char* no : {"", "*", "GZIP", "gzip;q=1", "gzip;q=0", "x-gzip", "identity", "g zip"}) {
    EXPECT_FALSE(accepts(no)) << no;
  }
  EXPECT_FALSE(AcceptsGzip(Request("/api/v1/pods")));
}

}  // namespace
}  // namespace weir
